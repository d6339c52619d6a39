using System;
using System.Linq;
using System.Reflection;

namespace Alonzo.Runtime
{
    /// <summary>
    /// The package's own serializer, named by an attribute of the method or else of the assembly.
    /// Everything is known by name only: its library is the package's.
    /// </summary>
    internal sealed class Serializer
    {
        private const string AttributeType = "Amazon.Lambda.Core.LambdaSerializerAttribute";
        private const string InterfaceType = "Amazon.Lambda.Core.ILambdaSerializer";

        private readonly Type contract;

        /// <exception cref="LambdaValidationException">It is named and cannot be used.</exception>
        internal Serializer(MethodInfo method, Assembly assembly)
        {
            Attribute named = Named(method.GetCustomAttributes()) ?? Named(assembly.GetCustomAttributes());
            if (named == null)
            {
                return;
            }
            var type = named.GetType().GetProperty("SerializerType")?.GetValue(named) as Type;
            if (type == null)
            {
                throw new LambdaValidationException(
                    $"The 'SerializerType' property on attribute class '{named.GetType()}' is not set.");
            }
            ConstructorInfo constructor = type.GetConstructor(Type.EmptyTypes);
            if (constructor == null)
            {
                throw new LambdaValidationException(
                    $"The indicated serializer '{type.FullName}' does not define a public "
                    + "zero-parameter constructor.");
            }
            contract = type.GetInterface(InterfaceType);
            if (contract == null)
            {
                throw new LambdaValidationException(
                    $"The '{type.FullName}' class is invalid: it does not implement the "
                    + "'ILambdaSerializer' interface.");
            }
            Instance = constructor.Invoke(null);
        }

        /// <summary>The serializer; null: none is named.</summary>
        internal object Instance { get; }

        private static Attribute Named(System.Collections.Generic.IEnumerable<Attribute> attributes) =>
            attributes.FirstOrDefault(each => each.GetType().FullName == AttributeType);

        /// <summary>Its method of that name for values of a type.</summary>
        /// <exception cref="LambdaValidationException">There is no serializer.</exception>
        internal MethodInfo For(string name, string purpose, Type type, HandlerName handler)
        {
            if (Instance == null)
            {
                throw new LambdaValidationException(
                    $"Could not find the LambdaSerializerAttribute on the assembly "
                    + $"'{handler.AssemblyName}' or method '{handler.Method}' while attempting to "
                    + $"{purpose} data of type '{type.FullName}'. To use types other than "
                    + "System.IO.Stream as input/output parameters, the assembly or Lambda function "
                    + $"should be annotated with {AttributeType}.");
            }
            return contract.GetMethod(name).MakeGenericMethod(type);
        }
    }
}
