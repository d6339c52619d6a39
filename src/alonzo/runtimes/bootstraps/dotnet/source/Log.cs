using System;
using System.Globalization;
using System.IO;
using System.Reflection;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Alonzo.Runtime
{
    /// <summary>Levels as the daemon counts them; none: a line that says nothing of its level.</summary>
    internal enum Level
    {
        None = 0,
        Trace = 1,
        Debug = 2,
        Information = 3,
        Warning = 4,
        Error = 5,
        Critical = 6,
    }

    internal static class Levels
    {
        private static readonly string[] Labels =
        {
            "", "trce", "dbug", "info", "warn", "fail", "crit",
        };

        /// <summary>How text logs call a level.</summary>
        internal static string Label(Level level) => Labels[(int)level];

        /// <summary>A level by any of its names; None: it has another one.</summary>
        internal static Level Named(string name)
        {
            switch ((name ?? "").ToUpperInvariant())
            {
                case "TRACE": return Level.Trace;
                case "DEBUG": return Level.Debug;
                case "INFO": case "INFORMATION": return Level.Information;
                case "WARN": case "WARNING": return Level.Warning;
                case "ERROR": return Level.Error;
                case "FATAL": case "CRITICAL": return Level.Critical;
                default: return Level.None;
            }
        }
    }

    /// <summary>
    /// The function's log: whole events, to the descriptor that the daemon gave or to the output.
    /// </summary>
    internal sealed class Log
    {
        private const uint TextRecord = 0xA55A0003;
        private const uint JsonRecord = 0xA55A0002;
        private const int HeadBytes = 16;
        private const long EpochTicks = 621355968000000000;
        private const string CoreAssembly = "Amazon.Lambda.Core";

        private readonly object order = new object();
        private readonly Stream stream;
        private readonly bool framed;
        private readonly bool json;
        private readonly bool plain;
        private readonly Level lowest;
        private volatile Call call;

        private Log(Stream stream, bool framed)
        {
            this.stream = stream;
            this.framed = framed;
            json = Is("AWS_LAMBDA_LOG_FORMAT", "JSON");
            plain = Is("AWS_LAMBDA_HANDLER_LOG_FORMAT", "Unformatted");
            Level named = Levels.Named(
                Variable("AWS_LAMBDA_HANDLER_LOG_LEVEL") ?? Variable("AWS_LAMBDA_LOG_LEVEL"));
            lowest = named == Level.None ? Level.Information : named;
        }

        /// <summary>Open it, and have everything that is printed go there.</summary>
        internal static Log Open()
        {
            string descriptor = Variable("_LAMBDA_TELEMETRY_LOG_FD");
            bool framed = descriptor != null;
            Stream stream = Console.OpenStandardOutput();
            if (framed)
            {
                var handle = new SafeFileHandle(new IntPtr(int.Parse(descriptor)), false);
                stream = new FileStream(handle, FileAccess.Write, 1, false);
            }
            var log = new Log(stream, framed);
            Console.SetOut(new LogWriter(log, Level.Information));
            Console.SetError(new LogWriter(log, Level.Error));
            AppDomain.CurrentDomain.AssemblyLoad += (sender, loaded) =>
                log.Take(loaded.LoadedAssembly);
            return log;
        }

        private static string Variable(string name) => Environment.GetEnvironmentVariable(name);

        private static bool Is(string name, string value) =>
            string.Equals(Variable(name), value, StringComparison.OrdinalIgnoreCase);

        /// <summary>What follows belongs to this call.</summary>
        internal void Entered(Call now) => call = now;

        /// <summary>Have the static logger of the package's library write here.</summary>
        private void Take(Assembly library)
        {
            if (library.GetName().Name != CoreAssembly)
            {
                return;
            }
            Type logger = library.GetType("Amazon.Lambda.Core.LambdaLogger");
            Set<Action<string>>(logger, "_loggingAction", text => Write(Level.None, text));
            Set<Action<string, string, object[]>>(
                logger,
                "_loggingWithLevelAction",
                (level, text, values) => Write(Levels.Named(level), text, values));
            Set<Action<string, Exception, string, object[]>>(
                logger,
                "_loggingWithLevelAndExceptionAction",
                (level, error, text, values) => Write(Levels.Named(level), text, values, error));
        }

        private static void Set<T>(Type type, string field, T value)
            where T : Delegate
        {
            // Which of them there are depends on the version.
            FieldInfo found = type?.GetField(field, BindingFlags.NonPublic | BindingFlags.Static);
            if (found != null && found.FieldType == typeof(T))
            {
                found.SetValue(null, value);
            }
        }

        /// <summary>Write one event, with the prefix or as the object that the settings ask for.</summary>
        internal void Write(
            Level level, string template, object[] values = null, Exception error = null)
        {
            if (level != Level.None && level < lowest)
            {
                return;
            }
            var message = new Template(template, values);
            DateTime now = DateTime.UtcNow;
            string time = now.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
            string text = json ? Object(time, level, message, error) : Line(time, level, message, error);
            Put(text, level, now);
        }

        private string Line(string time, Level level, Template message, Exception error)
        {
            string text = message.Text;
            if (error != null)
            {
                text += (text.Length > 0 ? "\n" : "") + error;
            }
            if (plain)
            {
                return text;
            }
            string label = level == Level.None ? "" : Levels.Label(level) + "\t";
            return time + "\t" + call?.Id + "\t" + label + text;
        }

        private string Object(string time, Level level, Template message, Exception error)
        {
            var text = new StringBuilder("{\"timestamp\":").Append(Json.Quoted(time));
            Level shown = level == Level.None ? Level.Information : level;
            Member(text, "level", shown.ToString());
            Member(text, "requestId", call?.Id);
            Member(text, "traceId", call?.Trace);
            Member(text, "message", message.Text);
            foreach (var member in message.Members)
            {
                text.Append(',').Append(Json.Quoted(member.Key)).Append(':').Append(member.Value);
            }
            if (error != null)
            {
                Member(text, "errorType", error.GetType().FullName);
                Member(text, "errorMessage", error.Message);
                string[] lines = error.ToString().Split('\n');
                string[] quoted = Array.ConvertAll(lines, line => Json.Quoted(line.Trim()));
                text.Append(",\"stackTrace\":[").Append(string.Join(",", quoted)).Append(']');
            }
            return text.Append('}').ToString();
        }

        private static void Member(StringBuilder text, string name, string value)
        {
            if (!string.IsNullOrEmpty(value) || name == "message")
            {
                text.Append(',').Append(Json.Quoted(name)).Append(':').Append(Json.Quoted(value));
            }
        }

        /// <summary>Write a text as it is.</summary>
        internal void Raw(string text)
        {
            if (text.Length > 0)
            {
                Put(text, Level.None, DateTime.UtcNow, false);
            }
        }

        private void Put(string text, Level level, DateTime now, bool line = true)
        {
            if (!framed)
            {
                text += line ? "\n" : "";
            }
            int head = framed ? HeadBytes : 0;
            var record = new byte[head + Encoding.UTF8.GetByteCount(text)];
            Encoding.UTF8.GetBytes(text, 0, text.Length, record, head);
            if (framed)
            {
                uint kind = (json && line ? JsonRecord : TextRecord) | ((uint)level << 2);
                long time = (now.Ticks - EpochTicks) / 10;
                BigEndian(record, 0, 4, kind);
                BigEndian(record, 4, 4, record.Length - head);
                BigEndian(record, 8, 8, time);
            }
            lock (order)
            {
                stream.Write(record, 0, record.Length);
                stream.Flush();
            }
        }

        private static void BigEndian(byte[] bytes, int at, int count, long number)
        {
            for (int index = count - 1; index >= 0; index--, number >>= 8)
            {
                bytes[at + index] = (byte)number;
            }
        }
    }
}
