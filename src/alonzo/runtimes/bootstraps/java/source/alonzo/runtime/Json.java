package alonzo.runtime;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON text to plain values (maps, lists, strings, numbers, booleans, null) and back. RFC 8259. */
final class Json {
    /** Deeper nesting is refused, before it exhausts the stack. */
    static final int DEPTH_MAX = 1000;

    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    /** What is no JSON, or no JSON of the type that was asked for. */
    static final class JsonException extends RuntimeException {
        private static final long serialVersionUID = 1;

        JsonException(String message) {
            super(message);
        }

        JsonException(String message, Throwable cause) {
            super(message, cause);
        }
    }

    static Object parse(String text) {
        Json parser = new Json(text);
        parser.skipSpace();
        Object value = parser.value();
        parser.skipSpace();
        if (parser.at < text.length()) {
            throw parser.wrong("the end");
        }
        return value;
    }

    /** A plain value as text. */
    static String text(Object value) {
        StringBuilder into = new StringBuilder();
        new ToJson(into).write(value);
        return into.toString();
    }

    private JsonException wrong(String expected) {
        String found = at < text.length() ? "'" + text.charAt(at) + "'" : "the end";
        return new JsonException(
                "Unexpected " + found + " at offset " + at + ": expected " + expected);
    }

    private void skipSpace() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private boolean take(char expected) {
        if (at < text.length() && text.charAt(at) == expected) {
            at++;
            return true;
        }
        return false;
    }

    private Object value() {
        if (at >= text.length()) {
            throw wrong("a value");
        }
        switch (text.charAt(at)) {
            case '{':
                return nested(true);
            case '[':
                return nested(false);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw wrong("a value");
        }
        at += word.length();
        return value;
    }

    private Object nested(boolean object) {
        if (++depth > DEPTH_MAX) {
            throw new JsonException("Nested deeper than " + DEPTH_MAX + " levels");
        }
        at++;
        Object value = object ? members() : elements();
        depth--;
        return value;
    }

    private Map<String, Object> members() {
        Map<String, Object> members = new LinkedHashMap<>();
        skipSpace();
        if (take('}')) {
            return members;
        }
        while (true) {
            skipSpace();
            if (at >= text.length() || text.charAt(at) != '"') {
                throw wrong("a name");
            }
            String name = string();
            skipSpace();
            if (!take(':')) {
                throw wrong("':'");
            }
            skipSpace();
            members.put(name, value());
            skipSpace();
            if (take('}')) {
                return members;
            }
            if (!take(',')) {
                throw wrong("',' or '}'");
            }
        }
    }

    private List<Object> elements() {
        List<Object> elements = new ArrayList<>();
        skipSpace();
        if (take(']')) {
            return elements;
        }
        while (true) {
            skipSpace();
            elements.add(value());
            skipSpace();
            if (take(']')) {
                return elements;
            }
            if (!take(',')) {
                throw wrong("',' or ']'");
            }
        }
    }

    private String string() {
        int begin = ++at;
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == '"') {
                return text.substring(begin, at++);
            }
            if (c == '\\') {
                return escapedString(begin);
            }
            at++;
        }
        throw wrong("'\"'");
    }

    private String escapedString(int begin) {
        StringBuilder into = new StringBuilder(text.substring(begin, at));
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == '"') {
                return into.toString();
            }
            into.append(c == '\\' ? escape() : c);
        }
        throw wrong("'\"'");
    }

    private char escape() {
        if (at >= text.length()) {
            throw wrong("an escape");
        }
        char c = text.charAt(at++);
        if (c == 'u') {
            int value = 0;
            for (int end = at + 4; at < end; at++) {
                int digit = at < text.length() ? Character.digit(text.charAt(at), 16) : -1;
                if (digit < 0) {
                    throw wrong("a hexadecimal digit");
                }
                value = value * 16 + digit;
            }
            return (char) value;
        }
        int known = "\"\\/bfnrt".indexOf(c);
        if (known < 0) {
            at--;
            throw wrong("an escape");
        }
        return "\"\\/\b\f\n\r\t".charAt(known);
    }

    private Number number() {
        int begin = at;
        boolean whole = true;
        take('-');
        int digits = digits();
        if (digits == 0 || digits > 1 && text.charAt(at - digits) == '0') {
            at -= digits;
            throw wrong("a value");
        }
        if (take('.')) {
            whole = false;
            if (digits() == 0) {
                throw wrong("a digit");
            }
        }
        if (take('e') || take('E')) {
            whole = false;
            if (!take('+')) {
                take('-');
            }
            if (digits() == 0) {
                throw wrong("a digit");
            }
        }
        String number = text.substring(begin, at);
        return whole ? whole(number) : new Decimal(number);
    }

    private int digits() {
        int begin = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        return at - begin;
    }

    /** The smallest of int, long and BigInteger that holds it, as Jackson has it. */
    private static Number whole(String digits) {
        if (digits.length() <= 19) {
            try {
                long value = Long.parseLong(digits);
                if (value == (int) value) {
                    return (int) value;
                }
                return value;
            } catch (NumberFormatException tooLarge) {
                return new BigInteger(digits);
            }
        }
        if (digits.length() > 1000) {
            throw new JsonException("A number longer than 1000 digits");
        }
        return new BigInteger(digits);
    }

    /** A number with a point or an exponent, not rounded before its type is known. */
    static final class Decimal extends Number {
        private static final long serialVersionUID = 1;
        final String digits;

        Decimal(String digits) {
            this.digits = digits;
        }

        BigDecimal exact() {
            if (digits.length() > 1000) {
                throw new JsonException("A number longer than 1000 digits");
            }
            return new BigDecimal(digits);
        }

        @Override
        public int intValue() {
            return (int) doubleValue();
        }

        @Override
        public long longValue() {
            return (long) doubleValue();
        }

        @Override
        public float floatValue() {
            return Float.parseFloat(digits);
        }

        @Override
        public double doubleValue() {
            return Double.parseDouble(digits);
        }

        @Override
        public String toString() {
            return digits;
        }
    }
}
