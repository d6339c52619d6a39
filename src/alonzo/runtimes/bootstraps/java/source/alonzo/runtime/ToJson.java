package alonzo.runtime;

import alonzo.runtime.Json.JsonException;
import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.TemporalAccessor;
import java.util.Base64;
import java.util.Calendar;
import java.util.Date;
import java.util.Iterator;
import java.util.Map;
import java.util.Map.Entry;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;

/** Writes objects as JSON, the way AWS's serializer does: members that are null are left out. */
final class ToJson {
    private final StringBuilder into;
    private int depth;

    ToJson(StringBuilder into) {
        this.into = into;
    }

    void write(Object value) {
        if (value == null) {
            into.append("null");
        } else if (value instanceof CharSequence || value instanceof Character) {
            string(value.toString());
        } else if (value instanceof Number) {
            number((Number) value);
        } else if (value instanceof Boolean) {
            into.append(value);
        } else if (value instanceof Enum) {
            string(((Enum<?>) value).name());
        } else {
            if (++depth > Json.DEPTH_MAX) {
                throw new JsonException("Nested deeper than " + Json.DEPTH_MAX + " levels");
            }
            structure(value);
            depth--;
        }
    }

    private void structure(Object value) {
        Class<?> type = value.getClass();
        if (value instanceof Map) {
            map((Map<?, ?>) value);
        } else if (value instanceof Iterable && !(value instanceof java.nio.file.Path)) {
            elements(((Iterable<?>) value).iterator());
        } else if (value instanceof Iterator) {
            elements((Iterator<?>) value);
        } else if (type.isArray()) {
            array(value);
        } else if (!scalar(value)) {
            bean(value);
        }
    }

    /** Values of the standard library that have no members. Answers whether this was one. */
    private boolean scalar(Object value) {
        if (value instanceof Optional) {
            write(((Optional<?>) value).orElse(null));
        } else if (value instanceof Date) {
            into.append(((Date) value).getTime());
        } else if (value instanceof Calendar) {
            into.append(((Calendar) value).getTimeInMillis());
        } else if (value instanceof Instant) {
            seconds(((Instant) value).getEpochSecond(), ((Instant) value).getNano());
        } else if (value instanceof Duration) {
            seconds(((Duration) value).getSeconds(), ((Duration) value).getNano());
        } else if (value instanceof ByteBuffer) {
            ByteBuffer rest = ((ByteBuffer) value).duplicate();
            byte[] bytes = new byte[rest.remaining()];
            rest.get(bytes);
            string(Base64.getEncoder().encodeToString(bytes));
        } else if (value instanceof AtomicReference) {
            write(((AtomicReference<?>) value).get());
        } else if (value instanceof Class) {
            string(((Class<?>) value).getName());
        } else if (Types.isWrittenAsText(value) || value instanceof TemporalAccessor) {
            string(Types.asText(value));
        } else {
            return false;
        }
        return true;
    }

    private void seconds(long seconds, int nanos) {
        into.append(seconds == 0 && nanos == 0 ? "0.0" : String.format("%d.%09d", seconds, nanos));
    }

    private void number(Number value) {
        boolean plain = true;
        if (value instanceof Double || value instanceof Float) {
            double number = value.doubleValue();
            plain = !Double.isNaN(number) && !Double.isInfinite(number);
        }
        if (plain) {
            into.append(value);
        } else {
            string(value.toString());
        }
    }

    private void map(Map<?, ?> map) {
        into.append('{');
        boolean first = true;
        for (Entry<?, ?> entry : map.entrySet()) {
            if (entry.getValue() != null) {
                first = name(Types.asText(entry.getKey()), first);
                write(entry.getValue());
            }
        }
        into.append('}');
    }

    private void elements(Iterator<?> elements) {
        into.append('[');
        while (elements.hasNext()) {
            write(elements.next());
            if (elements.hasNext()) {
                into.append(',');
            }
        }
        into.append(']');
    }

    private void array(Object array) {
        if (array instanceof byte[]) {
            string(Base64.getEncoder().encodeToString((byte[]) array));
        } else if (array instanceof char[]) {
            string(new String((char[]) array));
        } else {
            into.append('[');
            for (int index = 0; index < Array.getLength(array); index++) {
                if (index > 0) {
                    into.append(',');
                }
                write(Array.get(array, index));
            }
            into.append(']');
        }
    }

    private void bean(Object value) {
        into.append('{');
        boolean first = true;
        for (Bean.Property property : Bean.of(value.getClass()).properties.values()) {
            if (property.getter == null && property.field == null) {
                continue;
            }
            Object member = read(property, value);
            if (member != null) {
                first = name(property.name, first);
                write(member);
            }
        }
        into.append('}');
    }

    private static Object read(Bean.Property property, Object owner) {
        try {
            return property.get(owner);
        } catch (InvocationTargetException err) {
            Throwable cause = err.getCause();
            throw new JsonException(
                    cause.getMessage() + " (" + owner.getClass().getName() + "." + property.name + ")",
                    cause);
        } catch (ReflectiveOperationException err) {
            throw new JsonException(err.getMessage(), err);
        }
    }

    private boolean name(String name, boolean first) {
        if (!first) {
            into.append(',');
        }
        string(name);
        into.append(':');
        return false;
    }

    private void string(String text) {
        into.append('"');
        for (int index = 0; index < text.length(); index++) {
            char c = text.charAt(index);
            int short_ = "\"\\\b\f\n\r\t".indexOf(c);
            if (short_ >= 0) {
                into.append('\\').append("\"\\bfnrt".charAt(short_));
            } else if (c < ' ') {
                into.append(String.format("\\u%04X", (int) c));
            } else {
                into.append(c);
            }
        }
        into.append('"');
    }
}
