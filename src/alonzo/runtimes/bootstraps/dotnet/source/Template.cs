using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Alonzo.Runtime
{
    /// <summary>
    /// A message with named places, such as <c>{count} of {@order} at {0:t}</c>, and its values.
    /// They are taken in their order, or by number where all names are numbers. Doubled braces
    /// stand for themselves. Without values the text is left as it is.
    /// </summary>
    internal sealed class Template
    {
        private readonly List<KeyValuePair<string, string>> members =
            new List<KeyValuePair<string, string>>();

        internal Template(string text, object[] values)
        {
            Text = text ?? "";
            if (values != null && values.Length > 0)
            {
                List<Place> places = Places(Text);
                bool numbered = places.Count > 0 && places.TrueForAll(place => place.Number >= 0);
                Text = Filled(Text, places, numbered, values);
            }
        }

        /// <summary>The message, with the values in their places.</summary>
        internal string Text { get; }

        /// <summary>The values by name, as JSON. Those that are null are left out.</summary>
        internal IReadOnlyList<KeyValuePair<string, string>> Members => members;

        private sealed class Place
        {
            internal int Start;
            internal int End;
            internal string Name;
            internal string Format;
            internal bool AsJson;
            internal int Number = -1;
        }

        private static List<Place> Places(string text)
        {
            var places = new List<Place>();
            for (int at = 0; at < text.Length; at++)
            {
                if (text[at] != '{')
                {
                    continue;
                }
                int end = text.IndexOf('}', at);
                if (end < 0)
                {
                    break;
                }
                if (text[at + 1] == '{')
                {
                    at++;
                    continue;
                }
                places.Add(Named(text.Substring(at + 1, end - at - 1), at, end + 1));
                at = end;
            }
            return places;
        }

        private static Place Named(string inside, int start, int end)
        {
            int colon = inside.IndexOf(':');
            string name = (colon < 0 ? inside : inside.Substring(0, colon)).Trim();
            var place = new Place { Start = start, End = end, AsJson = name.StartsWith("@") };
            place.Name = name.TrimStart('@');
            place.Format = colon < 0 ? null : inside.Substring(colon + 1);
            bool number = int.TryParse(
                place.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int value);
            place.Number = number ? value : -1;
            return place;
        }

        private string Filled(string text, List<Place> places, bool numbered, object[] values)
        {
            var filled = new StringBuilder();
            int from = 0;
            for (int index = 0; index < places.Count; index++)
            {
                Place place = places[index];
                int which = numbered ? place.Number : index;
                filled.Append(text, from, place.Start - from);
                from = place.End;
                if (which >= values.Length)
                {
                    filled.Append(text, place.Start, place.End - place.Start);
                    continue;
                }
                object value = values[which];
                filled.Append(place.AsJson ? AsJson(value) : Shown(value, place.Format));
                if (value != null)
                {
                    string member = place.AsJson ? AsJson(value) : Member(value, place.Format);
                    members.Add(new KeyValuePair<string, string>(place.Name, member));
                }
            }
            filled.Append(text, from, text.Length - from);
            return filled.Replace("{{", "{").Replace("}}", "}").ToString();
        }

        private static string Shown(object value, string format)
        {
            if (value is IFormattable able)
            {
                return able.ToString(format, CultureInfo.InvariantCulture);
            }
            if (value is IEnumerable several && !(value is string))
            {
                var texts = new List<string>();
                foreach (object each in several)
                {
                    texts.Add(Shown(each, format));
                }
                return string.Join(", ", texts);
            }
            return value?.ToString() ?? "{null}";
        }

        private static string Member(object value, string format)
        {
            bool literal = format == null
                && (value is bool || (value.GetType().IsPrimitive && !(value is char)))
                || value is decimal || value is IEnumerable && !(value is string);
            return literal ? AsJson(value) : Json.Quoted(Shown(value, format));
        }

        private static string AsJson(object value)
        {
            try
            {
                return JsonSerializer.Serialize(value);
            }
            catch (Exception broken) when (broken is NotSupportedException || broken is JsonException)
            {
                return Json.Quoted(Shown(value, null));
            }
        }
    }
}
