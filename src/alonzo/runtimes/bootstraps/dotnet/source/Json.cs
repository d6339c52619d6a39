using System.Collections.Generic;
using System.Text;
using System.Text.Json;

namespace Alonzo.Runtime
{
    /// <summary>What the client itself reads and writes of JSON.</summary>
    internal static class Json
    {
        /// <summary>The text as a JSON string. Letters of every alphabet stay what they are.</summary>
        internal static string Quoted(string text)
        {
            var quoted = new StringBuilder(text.Length + 2).Append('"');
            for (int at = 0; at < text.Length; at++)
            {
                char letter = text[at];
                bool pair = char.IsHighSurrogate(letter)
                    && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]);
                if (pair)
                {
                    quoted.Append(letter).Append(text[++at]);
                }
                else if (letter == '"' || letter == '\\')
                {
                    quoted.Append('\\').Append(letter);
                }
                else if (letter < ' ' || letter == '\u2028' || letter == '\u2029'
                    || char.IsSurrogate(letter))
                {
                    quoted.Append(Escaped(letter));
                }
                else
                {
                    quoted.Append(letter);
                }
            }
            return quoted.Append('"').ToString();
        }

        private static string Escaped(char letter)
        {
            switch (letter)
            {
                case '\n': return "\\n";
                case '\r': return "\\r";
                case '\t': return "\\t";
                default: return "\\u" + ((int)letter).ToString("x4");
            }
        }

        /// <summary>The object in a text; null: there is no text, or it holds something else.</summary>
        internal static JsonElement? Object(string text)
        {
            if (string.IsNullOrEmpty(text))
            {
                return null;
            }
            JsonElement root = JsonDocument.Parse(text).RootElement;
            return root.ValueKind == JsonValueKind.Object ? root : (JsonElement?)null;
        }

        /// <summary>A member as text; null: it is absent.</summary>
        internal static string Text(JsonElement members, string name)
        {
            return members.TryGetProperty(name, out JsonElement value) ? Text(value) : null;
        }

        /// <summary>The texts of a member that is an object; empty: it is none.</summary>
        internal static IDictionary<string, string> Texts(JsonElement members, string name)
        {
            var texts = new Dictionary<string, string>();
            if (members.TryGetProperty(name, out JsonElement value)
                && value.ValueKind == JsonValueKind.Object)
            {
                foreach (JsonProperty member in value.EnumerateObject())
                {
                    texts[member.Name] = Text(member.Value);
                }
            }
            return texts;
        }

        private static string Text(JsonElement value)
        {
            switch (value.ValueKind)
            {
                case JsonValueKind.String: return value.GetString();
                case JsonValueKind.Null: return null;
                default: return value.GetRawText();
            }
        }
    }
}
