using System.Reflection;

namespace Alonzo.Runtime
{
    /// <summary>A handler's name in its parts: <c>Assembly::Namespace.Type::Method</c>.</summary>
    internal sealed class HandlerName
    {
        private const string Form = "The valid format is 'ASSEMBLY::TYPE::METHOD'.";

        /// <exception cref="LambdaValidationException">It is not of that form.</exception>
        internal HandlerName(string text)
        {
            string[] parts = text.Split(new[] { "::" }, 3, System.StringSplitOptions.None);
            if (parts.Length != 3)
            {
                throw new LambdaValidationException(
                    $"Invalid lambda function handler: '{text}'. {Form}");
            }
            AssemblyName = new AssemblyName(Part(text, parts[0], "assembly"));
            Type = Part(text, parts[1], "type");
            Method = Part(text, parts[2], "method");
        }

        internal AssemblyName AssemblyName { get; }

        internal string Type { get; }

        /// <summary>A name, or a whole signature as <c>MethodInfo.ToString()</c> gives it.</summary>
        internal string Method { get; }

        private static string Part(string text, string part, string what)
        {
            string trimmed = part.Trim();
            return trimmed.Length > 0
                ? trimmed
                : throw new LambdaValidationException(
                    $"Invalid lambda function handler: '{text}', the {what} is missing. {Form}");
        }
    }
}
