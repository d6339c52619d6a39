package com.amazonaws.services.lambda.runtime.logging;

/** How log events are written. */
public enum LogFormat {
    JSON,
    TEXT;

    /** The format of that name, in any case; TEXT: there is none. */
    public static LogFormat fromString(String name) {
        return "JSON".equalsIgnoreCase(name) ? JSON : TEXT;
    }
}
