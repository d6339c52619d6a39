package com.amazonaws.services.lambda.runtime;

/** What AWS's own log appenders tell the runtime, and the runtime tells {@link LambdaRuntime}. */
public final class LambdaRuntimeInternal {
    private static volatile boolean useLog4jAppender;

    private LambdaRuntimeInternal() {}

    public static void setUseLog4jAppender(boolean value) {
        useLog4jAppender = value;
    }

    public static boolean getUseLog4jAppender() {
        return useLog4jAppender;
    }

    /** Not of AWS's interface: the client sets the logger once. */
    public static void provideLogger(LambdaLogger logger) {
        LambdaRuntime.setLogger(logger);
    }
}
