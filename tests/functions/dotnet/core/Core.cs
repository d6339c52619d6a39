// Stands in for the package Amazon.Lambda.Core: the shapes of a newer version, as far as tests look.
using System;
using System.Collections.Generic;
using System.IO;
using System.Threading.Tasks;

namespace Amazon.Lambda.Core
{
    public static class SnapshotRestore
    {
        private static readonly List<Func<ValueTask>> Before = new List<Func<ValueTask>>();
        private static readonly List<Func<ValueTask>> After = new List<Func<ValueTask>>();

        public static void RegisterBeforeSnapshot(Func<ValueTask> hook) => Before.Add(hook);

        public static void RegisterAfterRestore(Func<ValueTask> hook) => After.Add(hook);

        // What AWS's client asks for in the package that a function brings.
        internal static void CopyBeforeSnapshotCallbacksToRegistry(Action<Func<ValueTask>> register) =>
            Before.ForEach(register);

        internal static void CopyAfterRestoreCallbacksToRegistry(Action<Func<ValueTask>> register) =>
            After.ForEach(register);
    }

    public interface ILambdaContext
    {
        string AwsRequestId { get; }
        IClientContext ClientContext { get; }
        string FunctionName { get; }
        string FunctionVersion { get; }
        ICognitoIdentity Identity { get; }
        string InvokedFunctionArn { get; }
        ILambdaLogger Logger { get; }
        string LogGroupName { get; }
        string LogStreamName { get; }
        int MemoryLimitInMB { get; }
        TimeSpan RemainingTime { get; }
        string TraceId => "default";
        string TenantId => "default";
        string OfTheFuture => "default";
        ILambdaSerializer Serializer => null;
    }

    public interface IClientContext
    {
        IDictionary<string, string> Environment { get; }
        IClientApplication Client { get; }
        IDictionary<string, string> Custom { get; }
    }

    public interface IClientApplication
    {
        string AppPackageName { get; }
        string AppTitle { get; }
        string AppVersionCode { get; }
        string AppVersionName { get; }
        string InstallationId { get; }
    }

    public interface ICognitoIdentity
    {
        string IdentityId { get; }
        string IdentityPoolId { get; }
    }

    public interface ILambdaLogger
    {
        void Log(string message);
        void LogLine(string message);
        void Log(string level, string message) => LogLine("default " + message);
        void Log(string level, string message, params object[] args) => LogLine("default");
        void Log(string level, Exception exception, string message, params object[] args) =>
            LogLine("default");
        void LogWarning(string message) => Log("Warning", message);
    }

    public interface ILambdaSerializer
    {
        T Deserialize<T>(Stream requestStream);
        void Serialize<T>(T response, Stream responseStream);
    }

    public static class LambdaLogger
    {
        private static Action<string> _loggingAction = Console.WriteLine;
        private static Action<string, string, object[]> _loggingWithLevelAction =
            (level, message, args) => Console.WriteLine(message);

        public static void Log(string message) => _loggingAction(message);

        public static void Log(string level, string message, params object[] args) =>
            _loggingWithLevelAction(level, message, args);
    }

    [AttributeUsage(AttributeTargets.Method | AttributeTargets.Assembly)]
    public sealed class LambdaSerializerAttribute : Attribute
    {
        public LambdaSerializerAttribute(Type type) => SerializerType = type;

        public Type SerializerType { get; }
    }
}
