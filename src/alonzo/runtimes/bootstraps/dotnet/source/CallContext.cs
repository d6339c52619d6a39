using System;
using System.Collections.Generic;
using System.Text.Json;
using Amazon.Lambda.Core;

namespace Alonzo.Runtime
{
    /// <summary>
    /// What a handler is told of its call. Newer versions of the interface have more properties:
    /// whatever here is virtual and has the same name and type is found as theirs.
    /// </summary>
    internal class CallContext : ILambdaContext
    {
        private readonly Call call;

        internal CallContext(Call call, Log log, object serializer)
        {
            this.call = call;
            Serializer = serializer as ILambdaSerializer;
            Logger = new Logger(log);
            JsonElement? sent = Json.Object(call.ClientContext);
            ClientContext = sent == null ? null : new Sent(sent.Value);
            // Never null, as on AWS.
            Identity = new Caller(Json.Object(call.Cognito));
        }

        public string AwsRequestId => call.Id;

        public IClientContext ClientContext { get; }

        public string FunctionName => Variable("AWS_LAMBDA_FUNCTION_NAME");

        public string FunctionVersion => Variable("AWS_LAMBDA_FUNCTION_VERSION");

        public ICognitoIdentity Identity { get; }

        public string InvokedFunctionArn => call.Arn;

        public ILambdaLogger Logger { get; }

        public string LogGroupName => Variable("AWS_LAMBDA_LOG_GROUP_NAME");

        public string LogStreamName => Variable("AWS_LAMBDA_LOG_STREAM_NAME");

        public int MemoryLimitInMB
        {
            get
            {
                int.TryParse(Variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), out int mib);
                return mib;
            }
        }

        public TimeSpan RemainingTime =>
            DateTimeOffset.FromUnixTimeMilliseconds(call.DeadlineMs) - DateTimeOffset.UtcNow;

        public virtual string TraceId => call.Trace;

        public virtual string TenantId => call.Tenant;

        public virtual ILambdaSerializer Serializer { get; }

        private static string Variable(string name) => Environment.GetEnvironmentVariable(name);

        private sealed class Caller : ICognitoIdentity
        {
            internal Caller(JsonElement? members)
            {
                if (members != null)
                {
                    IdentityId = Json.Text(members.Value, "cognitoIdentityId");
                    IdentityPoolId = Json.Text(members.Value, "cognitoIdentityPoolId");
                }
            }

            public string IdentityId { get; }

            public string IdentityPoolId { get; }
        }

        private sealed class Sent : IClientContext
        {
            internal Sent(JsonElement members)
            {
                Environment = Json.Texts(members, "env");
                Custom = Json.Texts(members, "custom");
                bool named = members.TryGetProperty("client", out JsonElement client);
                if (named && client.ValueKind == JsonValueKind.Object)
                {
                    Client = new Application(client);
                }
            }

            public IDictionary<string, string> Environment { get; }

            public IClientApplication Client { get; }

            public IDictionary<string, string> Custom { get; }
        }

        private sealed class Application : IClientApplication
        {
            internal Application(JsonElement members)
            {
                AppPackageName = Json.Text(members, "app_package_name");
                AppTitle = Json.Text(members, "app_title");
                AppVersionCode = Json.Text(members, "app_version_code");
                AppVersionName = Json.Text(members, "app_version_name");
                InstallationId = Json.Text(members, "installation_id");
            }

            public string AppPackageName { get; }

            public string AppTitle { get; }

            public string AppVersionCode { get; }

            public string AppVersionName { get; }

            public string InstallationId { get; }
        }
    }

    /// <summary>The logger of a call. The virtual methods are those of newer interfaces.</summary>
    internal class Logger : ILambdaLogger
    {
        private readonly Log log;

        internal Logger(Log log)
        {
            this.log = log;
        }

        /// <summary>As it is: with AWS, too, this one ends no line and has no prefix.</summary>
        public void Log(string message) => log.Raw(message ?? "");

        public void LogLine(string message) => log.Write(Level.Information, message);

        public virtual void Log(string level, string message) =>
            log.Write(Levels.Named(level), message);

        public virtual void Log(string level, string message, params object[] values) =>
            log.Write(Levels.Named(level), message, values);

        public virtual void Log(
            string level, Exception exception, string message, params object[] values) =>
            log.Write(Levels.Named(level), message, values, exception);
    }
}
