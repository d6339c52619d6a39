using System;
using System.IO;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Tasks;

namespace Alonzo.Runtime
{
    /// <summary>The function's method, with what reads its input and writes its result.</summary>
    internal sealed class Handler
    {
        private const BindingFlags Unwrapped = BindingFlags.DoNotWrapExceptions;
        private const string ContextType = "Amazon.Lambda.Core.ILambdaContext";

        private readonly MethodInfo method;
        private readonly object target;
        private readonly object serializer;
        private readonly ParameterInfo[] parameters;
        private readonly MethodInfo read;
        private readonly MethodInfo write;
        private readonly PropertyInfo taskResult;

        /// <exception cref="LambdaValidationException">A method of that kind is no handler.</exception>
        internal Handler(HandlerName name, MethodInfo method, object target, Serializer serializer)
        {
            this.method = method;
            this.target = target;
            this.serializer = serializer.Instance;
            parameters = method.GetParameters();
            if (parameters.Length > 2)
            {
                throw new LambdaValidationException(
                    $"Method '{method.Name}' of type '{name.Type}' is not supported: the method has "
                    + "more than 2 parameters.");
            }
            if (parameters.Length == 2 && !IsContext(parameters[1]))
            {
                throw new LambdaValidationException(
                    $"Method '{method.Name}' of type '{name.Type}' is not supported: the method has 2 "
                    + $"parameters, but the second parameter is not of type '{ContextType}'.");
            }
            Type input = parameters.Length > 0 && !IsContext(parameters[0])
                ? parameters[0].ParameterType
                : null;
            if (input != null && input != typeof(Stream))
            {
                read = serializer.For("Deserialize", "deserialize input", input, name);
            }
            taskResult = ResultOf(method.ReturnType);
            Type output = taskResult == null ? method.ReturnType : taskResult.PropertyType;
            bool silent = output == typeof(void)
                || taskResult == null && typeof(Task).IsAssignableFrom(output);
            if (!silent && !typeof(Stream).IsAssignableFrom(output))
            {
                write = serializer.For("Serialize", "serialize output", output, name);
            }
        }

        private static bool IsContext(ParameterInfo parameter) =>
            parameter.ParameterType.FullName == ContextType;

        /// <summary>The property of a task that has a result; null: any other type.</summary>
        private static PropertyInfo ResultOf(Type type)
        {
            for (; type != null; type = type.BaseType)
            {
                if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Task<>))
                {
                    return type.GetProperty("Result");
                }
            }
            return null;
        }

        /// <summary>Run one call; its result goes to <paramref name="output"/>.</summary>
        internal void Run(Call call, Log log, Stream output)
        {
            var arguments = new object[parameters.Length];
            for (int index = 0; index < arguments.Length; index++)
            {
                arguments[index] = IsContext(parameters[index])
                    ? Context(call, log)
                    : Input(new MemoryStream(call.Event));
            }
            object result = method.Invoke(target, Unwrapped, null, arguments, null);
            if (result is Task task)
            {
                task.GetAwaiter().GetResult();
                result = taskResult?.GetValue(task);
            }
            if (write != null)
            {
                write.Invoke(serializer, Unwrapped, null, new[] { result, output }, null);
            }
            else if (result is Stream stream)
            {
                using (stream)
                {
                    // One that was just written to stands at its end.
                    if (stream.CanSeek)
                    {
                        stream.Position = 0;
                    }
                    stream.CopyTo(output);
                }
            }
        }

        /// <summary>
        /// Compile what runs a call. The function's own code is compiled as it is reached, or
        /// altogether, and its serializer tried on something that is no document, as on AWS.
        /// </summary>
        internal void Prepare()
        {
            RuntimeHelpers.PrepareDelegate(new Action<Call, Log, Stream>(Run));
            RuntimeHelpers.PrepareDelegate(new Func<Stream, object>(Input));
            if (Array.Exists(parameters, IsContext))
            {
                RuntimeHelpers.PrepareDelegate(new Func<Call, Log, object>(Context));
            }
            if (Ahead.Wanted)
            {
                Ahead.Compile(method.Module.Assembly);
                Ahead.Try(() => Input(new MemoryStream(Encoding.ASCII.GetBytes("''"))));
                Ahead.Try(() => write?.Invoke(
                    serializer, Unwrapped, null, new object[] { null, new MemoryStream() }, null));
            }
        }

        private object Input(Stream input)
        {
            return read == null
                ? input
                : read.Invoke(serializer, Unwrapped, null, new object[] { input }, null);
        }

        /// <summary>Apart, because a package without a context need not have its library.</summary>
        private object Context(Call call, Log log) => new CallContext(call, log, serializer);
    }
}
