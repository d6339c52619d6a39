using System;
using System.Collections.Generic;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Alonzo.Runtime
{
    /// <summary>
    /// Compiles the function's own code during init, where <c>AWS_LAMBDA_DOTNET_PREJIT</c> asks for
    /// it: always, never, or (by default) where concurrency is provisioned.
    /// </summary>
    internal static class Ahead
    {
        private const BindingFlags Everything = BindingFlags.DeclaredOnly | BindingFlags.NonPublic
            | BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static;

        /// <summary>Compiled already, or too large to compile as a whole. The same as on AWS.</summary>
        private static readonly string[] Left = { "System.", "Microsoft.", "Newtonsoft.", "netstandard" };

        internal static bool Wanted
        {
            get
            {
                switch ((Variable("AWS_LAMBDA_DOTNET_PREJIT") ?? "").ToUpperInvariant())
                {
                    case "ALWAYS": return true;
                    case "NEVER": return false;
                    default:
                        return Variable("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency";
                }
            }
        }

        private static string Variable(string name) => Environment.GetEnvironmentVariable(name);

        /// <summary>Compile an assembly and what it refers to. What cannot be is left for later.</summary>
        internal static void Compile(Assembly first)
        {
            var seen = new HashSet<string> { first.FullName };
            var waiting = new Queue<Assembly>();
            for (waiting.Enqueue(first); waiting.Count > 0;)
            {
                Assembly assembly = waiting.Dequeue();
                Try(() => CompileTypes(assembly));
                foreach (AssemblyName name in assembly.GetReferencedAssemblies())
                {
                    bool left = Array.Exists(
                        Left, start => name.FullName.StartsWith(start, StringComparison.Ordinal));
                    if (!left && seen.Add(name.FullName))
                    {
                        Try(() => waiting.Enqueue(Assembly.Load(name)));
                    }
                }
            }
        }

        private static void CompileTypes(Assembly assembly)
        {
            foreach (Type type in assembly.GetTypes())
            {
                foreach (MethodInfo method in type.GetMethods(Everything))
                {
                    // One that is generic is compiled for each of its types.
                    if (!method.IsAbstract && !method.ContainsGenericParameters)
                    {
                        Try(() => RuntimeHelpers.PrepareMethod(method.MethodHandle));
                    }
                }
            }
        }

        /// <summary>Do it if it can be done; what is wrong will show when it is used.</summary>
        internal static void Try(Action action)
        {
            try
            {
                action();
            }
            catch (Exception)
            {
                return;
            }
        }
    }
}
