package alonzo.runtime;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.ServiceLoader;

/** From JSON to objects and back: our own way, or that of a service in the package. */
final class Serializers {
    private final CustomPojoSerializer custom;

    private Serializers(CustomPojoSerializer custom) {
        this.custom = custom;
    }

    static Serializers find(ClassLoader loader) {
        Iterator<CustomPojoSerializer> found =
                ServiceLoader.load(CustomPojoSerializer.class, loader).iterator();
        CustomPojoSerializer custom = found.hasNext() ? found.next() : null;
        if (found.hasNext()) {
            throw new IllegalStateException(
                    "Too many serializers provided inside the META-INF/services folder, only one is"
                            + " allowed");
        }
        return new Serializers(custom);
    }

    Object read(byte[] event, Type type) {
        try {
            if (custom != null) {
                return custom.fromJson(new ByteArrayInputStream(event), type);
            }
            return FromJson.make(type, Json.parse(new String(event, StandardCharsets.UTF_8)));
        } catch (RuntimeException | StackOverflowError err) {
            throw new RuntimeException("An error occurred during JSON parsing", Fault.cut(err));
        }
    }

    byte[] write(Object result, Type type) {
        try {
            if (custom != null) {
                ByteArrayOutputStream into = new ByteArrayOutputStream();
                custom.toJson(result, into, type);
                return into.toByteArray();
            }
            return Json.text(result).getBytes(StandardCharsets.UTF_8);
        } catch (RuntimeException | StackOverflowError err) {
            throw new RuntimeException(
                    "An error occurred during JSON serialization of response", err);
        }
    }
}
