package alonzo.runtime;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a handler is told of its call. */
final class CallContext implements Context {
    private final Map<String, Object> header;
    private final Log log;
    private final CognitoIdentity identity;
    private final ClientContext clientContext;

    CallContext(Map<String, Object> header, Log log) {
        this.header = header;
        this.log = log;
        Map<?, ?> cognito = object(header.get("cognito"));
        identity = cognito == null ? null : new Identity(cognito);
        Map<?, ?> sent = object(header.get("client_context"));
        clientContext = sent == null ? null : new Sent(sent);
    }

    private static Map<?, ?> object(Object text) {
        if (text == null || ((String) text).isEmpty()) {
            return null;
        }
        Object value = Json.parse((String) text);
        return value instanceof Map ? (Map<?, ?>) value : null;
    }

    private static String text(Map<?, ?> members, String name) {
        Object value = members.get(name);
        return value == null ? null : value.toString();
    }

    private static final class Identity implements CognitoIdentity {
        private final Map<?, ?> members;

        Identity(Map<?, ?> members) {
            this.members = members;
        }

        @Override
        public String getIdentityId() {
            return text(members, "cognitoIdentityId");
        }

        @Override
        public String getIdentityPoolId() {
            return text(members, "cognitoIdentityPoolId");
        }
    }

    private static final class Sent implements ClientContext {
        private final Map<?, ?> members;

        Sent(Map<?, ?> members) {
            this.members = members;
        }

        @Override
        public Client getClient() {
            Object client = members.get("client");
            return client instanceof Map ? new Caller((Map<?, ?>) client) : null;
        }

        @Override
        public Map<String, String> getCustom() {
            return texts("custom");
        }

        @Override
        public Map<String, String> getEnvironment() {
            return texts("env");
        }

        private Map<String, String> texts(String name) {
            Object value = members.get(name);
            if (!(value instanceof Map)) {
                return null;
            }
            Map<String, String> texts = new LinkedHashMap<>();
            ((Map<?, ?>) value).forEach(
                    (key, member) -> texts.put((String) key, member instanceof String
                            ? (String) member : Json.text(member)));
            return Collections.unmodifiableMap(texts);
        }
    }

    private static final class Caller implements Client {
        private final Map<?, ?> members;

        Caller(Map<?, ?> members) {
            this.members = members;
        }

        @Override
        public String getInstallationId() {
            return text(members, "installation_id");
        }

        @Override
        public String getAppTitle() {
            return text(members, "app_title");
        }

        @Override
        public String getAppVersionName() {
            return text(members, "app_version_name");
        }

        @Override
        public String getAppVersionCode() {
            return text(members, "app_version_code");
        }

        @Override
        public String getAppPackageName() {
            return text(members, "app_package_name");
        }
    }

    @Override
    public String getAwsRequestId() {
        return (String) header.get("id");
    }

    @Override
    public String getLogGroupName() {
        return System.getenv("AWS_LAMBDA_LOG_GROUP_NAME");
    }

    @Override
    public String getLogStreamName() {
        return System.getenv("AWS_LAMBDA_LOG_STREAM_NAME");
    }

    @Override
    public String getFunctionName() {
        return System.getenv("AWS_LAMBDA_FUNCTION_NAME");
    }

    @Override
    public String getFunctionVersion() {
        return System.getenv("AWS_LAMBDA_FUNCTION_VERSION");
    }

    @Override
    public String getInvokedFunctionArn() {
        return (String) header.get("arn");
    }

    @Override
    public CognitoIdentity getIdentity() {
        return identity;
    }

    @Override
    public ClientContext getClientContext() {
        return clientContext;
    }

    @Override
    public int getRemainingTimeInMillis() {
        long deadline = ((Number) header.get("deadline_ms")).longValue();
        return (int) Math.max(0, deadline - System.currentTimeMillis());
    }

    @Override
    public int getMemoryLimitInMB() {
        return Integer.parseInt(System.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"));
    }

    @Override
    public LambdaLogger getLogger() {
        return log;
    }

    @Override
    public String getTenantId() {
        return (String) header.get("tenant");
    }

    @Override
    public String getXrayTraceId() {
        return (String) header.get("trace");
    }

    @Override
    public String toString() {
        return "LambdaContext{awsRequestId=" + getAwsRequestId() + ", invokedFunctionArn="
                + getInvokedFunctionArn() + "}";
    }
}
