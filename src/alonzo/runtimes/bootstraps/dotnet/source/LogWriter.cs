using System;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Alonzo.Runtime
{
    /// <summary>
    /// What is printed becomes log events: a line with the prefix of its level, anything that does
    /// not end a line as it is.
    /// </summary>
    internal sealed class LogWriter : TextWriter
    {
        private readonly Log log;
        private readonly Level level;

        internal LogWriter(Log log, Level level)
            : base(CultureInfo.InvariantCulture)
        {
            this.log = log;
            this.level = level;
        }

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value) => log.Raw(value.ToString());

        public override void Write(string value) => log.Raw(value ?? "");

        public override void Write(char[] buffer, int index, int count) =>
            log.Raw(new string(buffer, index, count));

        public override void Write(ReadOnlySpan<char> buffer) => log.Raw(buffer.ToString());

        public override void WriteLine() => Line("");

        public override void WriteLine(string value) => Line(value ?? "");

        public override void WriteLine(char value) => Line(value.ToString());

        public override void WriteLine(bool value) => Line(value.ToString());

        public override void WriteLine(int value) => Line(value.ToString(FormatProvider));

        public override void WriteLine(uint value) => Line(value.ToString(FormatProvider));

        public override void WriteLine(long value) => Line(value.ToString(FormatProvider));

        public override void WriteLine(ulong value) => Line(value.ToString(FormatProvider));

        public override void WriteLine(float value) => Line(value.ToString(FormatProvider));

        public override void WriteLine(double value) => Line(value.ToString(FormatProvider));

        public override void WriteLine(decimal value) => Line(value.ToString(FormatProvider));

        public override void WriteLine(object value) => Line(value?.ToString() ?? "");

        public override void WriteLine(char[] buffer) => Line(new string(buffer));

        public override void WriteLine(char[] buffer, int index, int count) =>
            Line(new string(buffer, index, count));

        public override void WriteLine(ReadOnlySpan<char> buffer) => Line(buffer.ToString());

        public override void WriteLine(StringBuilder value) => Line(value?.ToString() ?? "");

        public override void WriteLine(string format, object arg0) =>
            Line(string.Format(FormatProvider, format, arg0));

        public override void WriteLine(string format, object arg0, object arg1) =>
            Line(string.Format(FormatProvider, format, arg0, arg1));

        public override void WriteLine(string format, object arg0, object arg1, object arg2) =>
            Line(string.Format(FormatProvider, format, arg0, arg1, arg2));

        public override void WriteLine(string format, params object[] arg) =>
            Line(string.Format(FormatProvider, format, arg));

        public override Task WriteLineAsync() => LineAsync("");

        public override Task WriteLineAsync(char value) => LineAsync(value.ToString());

        public override Task WriteLineAsync(string value) => LineAsync(value ?? "");

        public override Task WriteLineAsync(char[] buffer, int index, int count) =>
            LineAsync(new string(buffer, index, count));

        public override Task WriteLineAsync(
            ReadOnlyMemory<char> buffer, CancellationToken cancellationToken = default) =>
            LineAsync(buffer.ToString());

        public override Task WriteLineAsync(
            StringBuilder value, CancellationToken cancellationToken = default) =>
            LineAsync(value?.ToString() ?? "");

        private void Line(string text) => log.Write(level, text);

        private Task LineAsync(string text)
        {
            Line(text);
            return Task.CompletedTask;
        }
    }
}
