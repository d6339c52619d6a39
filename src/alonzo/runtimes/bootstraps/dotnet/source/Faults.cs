using System;
using System.Collections.Generic;
using System.Text;

namespace Alonzo.Runtime
{
    /// <summary>
    /// The handler is not there, or is none. The name of the class is what the caller sees.
    /// </summary>
    internal sealed class LambdaValidationException : Exception
    {
        internal LambdaValidationException(string message)
            : base(message)
        {
        }
    }

    /// <summary>What is said of an exception, in the form that AWS's client gives it.</summary>
    internal static class Faults
    {
        private const int DocumentBytesMax = 256 << 10;
        private const int DepthMax = 32;
        private const string TooLarge =
            "{\"errorMessage\": \"Exception exceeded maximum payload size of 256KB.\"}";

        private const string OurFrame = "at Alonzo.Runtime.";

        /// <summary>How a method is called that is known only by name.</summary>
        private static readonly string[] CallFrames =
        {
            "at System.RuntimeMethodHandle.",
            "at System.Reflection.",
            "at InvokeStub_",
        };

        /// <summary>The error document: type, message, stack trace, and what lies behind it.</summary>
        internal static byte[] Document(Exception error)
        {
            var text = new StringBuilder();
            Append(text, error, 0);
            byte[] document = Encoding.UTF8.GetBytes(text.ToString());
            return document.Length <= DocumentBytesMax ? document : Encoding.UTF8.GetBytes(TooLarge);
        }

        /// <summary>The exception as it is printed, without what called the handler.</summary>
        internal static string Report(Exception error)
        {
            try
            {
                return string.Join("\n", Cut(error.ToString().Split('\n')));
            }
            catch (Exception broken)
            {
                return error.GetType() + ": " + broken.GetType();
            }
        }

        private static void Append(StringBuilder text, Exception error, int depth)
        {
            if (depth == DepthMax || text.Length > DocumentBytesMax)
            {
                text.Append(TooLarge);
                return;
            }
            text.Append("{\"errorType\":").Append(Json.Quoted(error.GetType().Name));
            text.Append(",\"errorMessage\":").Append(Json.Quoted(MessageOf(error)));
            List<string> trace = Trace(error);
            if (trace.Count > 0)
            {
                text.Append(",\"stackTrace\":[").Append(string.Join(",", trace)).Append(']');
            }
            if (error.InnerException != null)
            {
                Append(text.Append(",\"cause\":"), error.InnerException, depth + 1);
            }
            if (error is AggregateException several)
            {
                text.Append(",\"causes\":[");
                string before = "";
                foreach (Exception inner in several.InnerExceptions)
                {
                    Append(text.Append(before), inner, depth + 1);
                    before = ",";
                }
                text.Append(']');
            }
            text.Append('}');
        }

        private static string MessageOf(Exception error)
        {
            try
            {
                return (error.Message ?? "").Trim();
            }
            catch (Exception broken)
            {
                return broken.GetType().Name;
            }
        }

        private static List<string> Trace(Exception error)
        {
            var quoted = new List<string>();
            foreach (string line in Cut((error.StackTrace ?? "").Split('\n')))
            {
                string frame = line.Trim();
                if (frame.Length > 0)
                {
                    quoted.Add(Json.Quoted(frame));
                }
            }
            return quoted;
        }

        /// <summary>The lines without our own, and without those by which we came to the handler.</summary>
        private static List<string> Cut(string[] lines)
        {
            var kept = new List<string>();
            foreach (string line in lines)
            {
                if (!line.TrimStart().StartsWith(OurFrame, StringComparison.Ordinal))
                {
                    kept.Add(line);
                    continue;
                }
                while (kept.Count > 0 && IsCall(kept[kept.Count - 1].TrimStart()))
                {
                    kept.RemoveAt(kept.Count - 1);
                }
            }
            return kept;
        }

        private static bool IsCall(string frame)
        {
            return Array.Exists(CallFrames, f => frame.StartsWith(f, StringComparison.Ordinal));
        }
    }
}
