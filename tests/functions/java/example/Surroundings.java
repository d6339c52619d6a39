package example;

import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.File;
import java.util.LinkedHashMap;
import java.util.Map;

/** Returns what it finds around it, and writes in every way. */
public class Surroundings {
    public Map<String, Object> context(Context context) {
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("awsRequestId", context.getAwsRequestId());
        found.put("functionName", context.getFunctionName());
        found.put("functionVersion", context.getFunctionVersion());
        found.put("invokedFunctionArn", context.getInvokedFunctionArn());
        found.put("logGroupName", context.getLogGroupName());
        found.put("logStreamName", context.getLogStreamName());
        found.put("memoryLimitInMB", context.getMemoryLimitInMB());
        found.put("remaining_ms", context.getRemainingTimeInMillis());
        found.put("tenantId", context.getTenantId());
        found.put("traceId", context.getXrayTraceId());
        found.put("trace", System.getProperty("com.amazonaws.xray.traceHeader"));
        if (context.getIdentity() != null) {
            found.put("identity", context.getIdentity().getIdentityId());
        }
        ClientContext sent = context.getClientContext();
        if (sent != null) {
            found.put("custom", sent.getCustom());
            found.put("title", sent.getClient().getAppTitle());
        }
        return found;
    }

    public Map<String, Object> machine() {
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("version", System.getProperty("java.version"));
        found.put("heap_mib", Runtime.getRuntime().maxMemory() >> 20);
        found.put("folder", new File("").getAbsolutePath());
        found.put("resource", Surroundings.class.getResource("/settings.txt") != null);
        found.put("loader", Thread.currentThread().getContextClassLoader().getClass().getName());
        found.put("variables", System.getenv());
        return found;
    }

    public void prints(Context context) {
        System.out.println("plain out: ö");
        System.err.println("plain err");
        context.getLogger().log("two\nlines");
        context.getLogger().log("a warning", LogLevel.WARN);
        LambdaRuntime.getLogger().log("bytes".getBytes());
        System.out.print("unfinished");
    }
}
