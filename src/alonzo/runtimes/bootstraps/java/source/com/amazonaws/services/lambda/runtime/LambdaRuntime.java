package com.amazonaws.services.lambda.runtime;

/** Gives out the logger to code that has no context. */
public final class LambdaRuntime {
    private static volatile LambdaLogger logger;

    private LambdaRuntime() {}

    public static LambdaLogger getLogger() {
        return logger;
    }

    static void setLogger(LambdaLogger value) {
        logger = value;
    }
}
