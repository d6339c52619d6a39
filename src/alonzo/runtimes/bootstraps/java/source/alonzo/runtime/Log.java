package alonzo.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogFormat;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.Map;

/** The function's logger: whole events to the descriptor that the daemon gave, or to the output. */
final class Log implements LambdaLogger {
    private static final int TEXT = 0xA55A0003;
    private static final int JSON = 0xA55A0002;

    private final FileOutputStream framed;
    private final boolean json;
    private final LogLevel lowest;
    private volatile CallContext context;

    private Log(FileOutputStream framed, LogFormat format, LogLevel lowest) {
        this.framed = framed;
        this.json = format == LogFormat.JSON;
        this.lowest = lowest;
    }

    static Log open(Map<String, String> variables) throws ReflectiveOperationException {
        String descriptor = variables.get("_LAMBDA_TELEMETRY_LOG_FD");
        FileOutputStream framed =
                descriptor == null
                        ? null
                        : new FileOutputStream(Channel.descriptor(Integer.parseInt(descriptor)));
        return new Log(
                framed,
                LogFormat.fromString(variables.get("AWS_LAMBDA_LOG_FORMAT")),
                LogLevel.fromString(variables.get("AWS_LAMBDA_LOG_LEVEL")));
    }

    void entered(CallContext context) {
        this.context = context;
    }

    /** Write an error report. */
    void error(String report) {
        log(report, json ? LogLevel.ERROR : LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message, LogLevel level) {
        String text = message;
        if (json) {
            text = record(message, level) + "\n";
        } else if (level != LogLevel.UNDEFINED) {
            text = "[" + level + "] " + message;
        }
        log(String.valueOf(text).getBytes(StandardCharsets.UTF_8), level);
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        if (level != LogLevel.UNDEFINED && level.ordinal() < lowest.ordinal()) {
            return;
        }
        if (framed == null) {
            System.out.write(message, 0, message.length);
            System.out.flush();
            return;
        }
        int kind = (json ? JSON : TEXT) | level.ordinal() << 2;
        Instant now = Instant.now();
        ByteBuffer frame = ByteBuffer.allocate(16 + message.length);
        frame.putInt(kind).putInt(message.length);
        frame.putLong(now.getEpochSecond() * 1_000_000 + now.getNano() / 1000).put(message);
        synchronized (this) {
            try {
                framed.write(frame.array());
            } catch (IOException err) {
                throw new UncheckedIOException(err);
            }
        }
    }

    private String record(String message, LogLevel level) {
        Map<String, Object> record = new LinkedHashMap<>();
        DateTimeFormatter format = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'");
        record.put("timestamp", format.format(Instant.now().atOffset(ZoneOffset.UTC)));
        record.put("level", level);
        record.put("message", message);
        CallContext current = context;
        if (current != null) {
            record.put("AWSRequestId", current.getAwsRequestId());
            record.put("tenantId", current.getTenantId());
        }
        return Json.text(record);
    }
}
