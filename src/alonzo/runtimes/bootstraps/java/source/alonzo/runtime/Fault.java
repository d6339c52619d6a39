package alonzo.runtime;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** A failure of the function's package, with what AWS's client says of it. */
final class Fault extends RuntimeException {
    private static final long serialVersionUID = 1;
    private static final String OURS = "alonzo.runtime.";

    final String type;
    final String trace;

    /** Whether the process cannot go on. */
    final boolean fatal;

    Fault(String message, Throwable cause, boolean fatal) {
        super(message);
        this.type = cause == null ? null : cause.getClass().getName();
        this.trace = cause == null ? null : traceOf(cause);
        this.fatal = fatal;
    }

    Map<String, Object> document() {
        return document(getMessage(), type, null);
    }

    String report() {
        return report(getMessage(), type, trace);
    }

    static Map<String, Object> documentOf(Throwable error) {
        StackTraceElement[] frames = error.getStackTrace();
        String[] texts = new String[frames.length];
        for (int index = 0; index < frames.length; index++) {
            texts[index] = frames[index].toString();
        }
        return document(messageOf(error), error.getClass().getName(), texts);
    }

    static String reportOf(Throwable error) {
        return report(messageOf(error), error.getClass().getName(), traceOf(error));
    }

    private static Map<String, Object> document(String message, String type, String[] trace) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("errorMessage", message);
        document.put("errorType", type);
        document.put("stackTrace", trace);
        return document;
    }

    private static String report(String message, String type, String trace) {
        if (type == null) {
            return message + "\n";
        }
        return message + ": " + type + "\n" + trace + "\n";
    }

    static String messageOf(Throwable error) {
        try {
            String message = error.getLocalizedMessage();
            return message == null ? error.getClass().getName() : message;
        } catch (RuntimeException broken) {
            return error.getClass().getName();
        }
    }

    private static String traceOf(Throwable error) {
        StringWriter into = new StringWriter();
        try {
            cut(error).printStackTrace(new PrintWriter(into));
        } catch (RuntimeException broken) {
            into.append(error.getClass().getName());
        }
        return into.toString();
    }

    /** Take our own frames, and what called them, from the stack traces of {@code error}. */
    static Throwable cut(Throwable error) {
        cut(error, Collections.newSetFromMap(new IdentityHashMap<>()));
        return error;
    }

    private static void cut(Throwable error, Set<Throwable> seen) {
        if (error == null || !seen.add(error)) {
            return;
        }
        StackTraceElement[] frames = error.getStackTrace();
        for (int index = 0; index < frames.length; index++) {
            if (frames[index].getClassName().startsWith(OURS)) {
                error.setStackTrace(java.util.Arrays.copyOf(frames, index));
                break;
            }
        }
        cut(error.getCause(), seen);
        for (Throwable suppressed : error.getSuppressed()) {
            cut(suppressed, seen);
        }
    }
}
