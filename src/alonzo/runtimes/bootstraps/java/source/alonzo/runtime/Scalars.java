package alonzo.runtime;

import alonzo.runtime.Json.Decimal;
import alonzo.runtime.Json.JsonException;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Values without members: plain ones as they are, and as numbers, text, times and constants. */
final class Scalars {
    private Scalars() {}

    static Object scalar(Class<?> raw, Object value) {
        if (raw == Date.class) {
            return date(value, 1);
        }
        if (raw == ByteBuffer.class) {
            return ByteBuffer.wrap(Base64.getDecoder().decode(text(value, raw)));
        }
        if (value instanceof Number && (raw == Instant.class || raw == Duration.class)) {
            BigDecimal seconds = decimal((Number) value);
            long whole = seconds.longValue();
            long nanos = seconds.subtract(BigDecimal.valueOf(whole)).movePointRight(9).longValue();
            return raw == Instant.class
                    ? Instant.ofEpochSecond(whole, nanos)
                    : Duration.ofSeconds(whole, nanos);
        }
        boolean library = raw.getName().startsWith("java.") || raw.getName().startsWith("org.joda.");
        if (value instanceof String && library) {
            return Types.fromText(raw, (String) value);
        }
        throw mismatch(raw, value);
    }

    static Date date(Object value, long unit_ms) {
        if (value instanceof Number) {
            return new Date(decimal((Number) value).multiply(BigDecimal.valueOf(unit_ms)).longValue());
        }
        String text = text(value, Date.class);
        String whole = text.length() == 10 ? text + "T00:00:00Z" : text;
        try {
            return Date.from(OffsetDateTime.parse(whole).toInstant());
        } catch (RuntimeException err) {
            throw new JsonException("Cannot read the date '" + text + "'", err);
        }
    }

    static JsonException mismatch(Class<?> raw, Object value) {
        String kind =
                value instanceof Map
                        ? "an object"
                        : value instanceof List ? "an array" : value.getClass().getSimpleName();
        return new JsonException("Cannot make a " + raw.getName() + " from " + kind);
    }

    static Object zero(Class<?> primitive) {
        return Array.get(Array.newInstance(primitive, 1), 0);
    }

    static Object natural(Object value) {
        if (value instanceof Decimal) {
            return ((Decimal) value).doubleValue();
        }
        if (value instanceof List) {
            List<Object> list = new ArrayList<>();
            ((List<?>) value).forEach(element -> list.add(natural(element)));
            return list;
        }
        if (value instanceof Map) {
            Map<Object, Object> map = new LinkedHashMap<>();
            ((Map<?, ?>) value).forEach((name, member) -> map.put(name, natural(member)));
            return map;
        }
        return value;
    }

    static String text(Object value, Class<?> wanted) {
        if (value instanceof List && ((List<?>) value).size() == 1) {
            return text(((List<?>) value).get(0), wanted);
        }
        if (value == null || value instanceof Map || value instanceof List) {
            throw mismatch(wanted, value == null ? "null" : value);
        }
        return value.toString();
    }

    private static BigDecimal decimal(Number value) {
        return value instanceof Decimal ? ((Decimal) value).exact() : new BigDecimal(value.toString());
    }

    static Object primitive(Class<?> raw, Object value) {
        if (value instanceof List) {
            List<?> list = (List<?>) value;
            if (list.size() > 1) {
                throw mismatch(raw, value);
            }
            return list.isEmpty() ? null : FromJson.make(raw, list.get(0));
        }
        if (value instanceof Map) {
            throw mismatch(raw, value);
        }
        String text = value.toString().trim();
        if (raw == boolean.class || raw == Boolean.class) {
            return truth(raw, value, text);
        }
        if (raw == char.class || raw == Character.class) {
            if (text.length() != 1) {
                throw mismatch(raw, value);
            }
            return text.charAt(0);
        }
        if (text.isEmpty()) {
            return raw.isPrimitive() ? zero(raw) : null;
        }
        if (value instanceof Boolean) {
            throw mismatch(raw, value);
        }
        return number(raw, text);
    }

    private static Object truth(Class<?> raw, Object value, String text) {
        if (value instanceof Number) {
            return ((Number) value).intValue() != 0;
        }
        if (text.equalsIgnoreCase("true") || text.equalsIgnoreCase("false")) {
            return Boolean.valueOf(text);
        }
        throw mismatch(raw, value);
    }

    private static Object number(Class<?> raw, String text) {
        try {
            if (raw == double.class || raw == Double.class) {
                return Double.valueOf(text);
            }
            if (raw == float.class || raw == Float.class) {
                return Float.valueOf(text);
            }
            Object whole = wholeNumber(raw, new Decimal(text).exact());
            if (whole != null) {
                return whole;
            }
        } catch (ArithmeticException | NumberFormatException err) {
            throw new JsonException("Cannot make a " + raw.getName() + " from " + text, err);
        }
        return Types.fromText(raw, text);
    }

    private static Object wholeNumber(Class<?> raw, BigDecimal value) {
        if (raw == BigDecimal.class) {
            return value;
        }
        if (value.scale() < -1000) {
            throw new ArithmeticException("too large");
        }
        if (raw == int.class || raw == Integer.class) {
            return value.toBigInteger().intValueExact();
        }
        if (raw == long.class || raw == Long.class) {
            return value.toBigInteger().longValueExact();
        }
        if (raw == short.class || raw == Short.class) {
            return value.toBigInteger().shortValueExact();
        }
        if (raw == byte.class || raw == Byte.class) {
            return value.toBigInteger().byteValueExact();
        }
        if (raw == BigInteger.class) {
            return value.toBigInteger();
        }
        if (raw == Number.class) {
            return natural(Json.parse(value.toString()));
        }
        return null;
    }

    static Object constant(Class<?> raw, Object value) {
        Object[] constants = raw.getEnumConstants();
        if (value instanceof Integer) {
            int index = (Integer) value;
            return index >= 0 && index < constants.length ? constants[index] : null;
        }
        for (Object constant : constants) {
            if (((Enum<?>) constant).name().equals(value)) {
                return constant;
            }
        }
        return null;
    }
}
