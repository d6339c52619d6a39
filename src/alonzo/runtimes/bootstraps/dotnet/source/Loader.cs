using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Alonzo.Runtime
{
    /// <summary>From a handler's name to its method. The rules and their texts are those of AWS.</summary>
    internal static class Loader
    {
        private const BindingFlags Everything = BindingFlags.DeclaredOnly | BindingFlags.NonPublic
            | BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static;

        /// <exception cref="LambdaValidationException">It is not there, or is no handler.</exception>
        internal static Handler Load(string text)
        {
            var name = new HandlerName(text);
            Assembly assembly = Open(name.AssemblyName);
            Type type = assembly.GetType(name.Type) ?? throw new LambdaValidationException(
                $"Unable to load type '{name.Type}' from assembly '{name.AssemblyName}'.");
            MethodInfo method = Find(name, type);
            CheckMethod(method);
            CheckType(type, method);
            object target = null;
            if (method.IsStatic)
            {
                RuntimeHelpers.RunClassConstructor(type.TypeHandle);
            }
            else
            {
                target = Activator.CreateInstance(type);
            }
            return new Handler(name, method, target, new Serializer(method, assembly));
        }

        private static Assembly Open(AssemblyName name)
        {
            try
            {
                return Assembly.Load(name);
            }
            catch (FileNotFoundException absent)
            {
                throw new LambdaValidationException(
                    $"Could not find the specified handler assembly with the file name "
                    + $"'{absent.FileName}'. The assembly should be located in the root of your "
                    + "uploaded .zip file.");
            }
            catch (Exception broken) when (broken is BadImageFormatException || broken is IOException)
            {
                throw new LambdaValidationException($"Unable to load assembly '{name}'.");
            }
        }

        private static MethodInfo Find(HandlerName name, Type first)
        {
            // The more derived class comes first, names before signatures.
            foreach (bool whole in new[] { false, true })
            {
                for (Type type = first; type != null; type = type.BaseType)
                {
                    MethodInfo[] found = type.GetMethods(Everything)
                        .Where(each => name.Method == (whole ? each.ToString() : each.Name))
                        .ToArray();
                    if (found.Length > 1)
                    {
                        throw new LambdaValidationException(
                            $"The method '{name.Method}' in type '{type.FullName}' appears to have a "
                            + "number of overloads. To call this method please specify a complete "
                            + "method signature. Possible candidates are:\n"
                            + string.Join("\n", found.Select(each => each.ToString())) + ".");
                    }
                    if (found.Length == 1)
                    {
                        return found[0];
                    }
                }
            }
            throw new LambdaValidationException(
                $"Unable to find method '{name.Method}' in type '{name.Type}' from assembly "
                + $"'{name.AssemblyName}': Found no methods matching method name '{name.Method}'.");
        }

        private static void CheckMethod(MethodInfo method)
        {
            ParameterInfo last = method.GetParameters().LastOrDefault();
            string kind = null;
            if (method.IsAbstract)
            {
                kind = "is an abstract method. Handler methods cannot be abstract. Please specify a "
                    + "non-abstract handler method.";
            }
            else if (method.IsGenericMethod)
            {
                kind = "is a generic method. Handler methods cannot be generic. Please specify a "
                    + "non-generic handler method.";
            }
            else if (method.ReturnType == typeof(void)
                && method.IsDefined(typeof(AsyncStateMachineAttribute)))
            {
                kind = "is an 'async void' method. Handler methods cannot be 'async void'. Please "
                    + "specify a method that is not 'async void'.";
            }
            else if (last != null && last.IsDefined(typeof(ParamArrayAttribute)))
            {
                kind = "is a 'params' method. Please specify a method that does not use 'params'.";
            }
            if (kind != null)
            {
                throw new LambdaValidationException(
                    $"The method '{method}' cannot be used as a Lambda Handler because it {kind}");
            }
        }

        private static void CheckType(Type type, MethodInfo method)
        {
            if (type.IsGenericType)
            {
                throw new LambdaValidationException(
                    $"The type '{type.FullName}' cannot be used as a Lambda Handler type because it "
                    + "is generic. Handler methods cannot be located in generic types. Please "
                    + "specify a handler method in a non-generic type.");
            }
            if (!method.IsStatic && type.IsAbstract)
            {
                throw new LambdaValidationException(
                    $"The instance method '{method}' cannot be used as a Lambda Handler because its "
                    + $"type '{type.FullName}' is abstract. Please either use a static handler or "
                    + "specify a type that is not abstract.");
            }
        }
    }
}
