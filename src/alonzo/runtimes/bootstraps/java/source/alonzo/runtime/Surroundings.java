package alonzo.runtime;

import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The variables of the process itself, which Java can read but not change.
 *
 * <p>They lie where the kernel put them when the program was executed: their texts one behind the
 * other, and before them a list of pointers, which the C library reads anew at each question. Both
 * are written over. So native libraries, {@code /proc/self/environ} and child processes see what
 * {@code System.getenv} does, as long as nobody has asked that before: it remembers.
 */
final class Surroundings {
    /** Places in {@code /proc/self/stat}, counted after the name. Source: proc(5). */
    private static final int STACK_START = 25;

    private static final int TEXTS_START = 47;
    private static final int TEXTS_END = 48;

    private static final int POINTER_BYTES = 8;

    /** No list is longer; without an end the stack would be read to its own. */
    private static final int VARIABLES_MAX = 1 << 16;

    private final long list;
    private final int listed;
    private final long start;
    private final int room;

    private Surroundings(long list, int listed, long start, int room) {
        this.list = list;
        this.listed = listed;
        this.start = start;
        this.room = room;
    }

    /**
     * Where the variables of this process are.
     *
     * @throws IOException they are not where they should be, or cannot be written
     */
    static Surroundings find() throws IOException {
        String[] stat = stat();
        long stack = Long.parseLong(stat[STACK_START]);
        long start = Long.parseLong(stat[TEXTS_START]);
        int room = (int) (Long.parseLong(stat[TEXTS_END]) - start);
        try (RandomAccessFile memory = memory()) {
            // On the stack: the number of arguments, pointers to them, null; the same of variables.
            memory.seek(stack);
            long list = stack + POINTER_BYTES * (next(memory) + 2);
            memory.seek(list);
            long first = next(memory);
            int listed = 0;
            for (long each = first; each != 0; each = next(memory)) {
                if (++listed > VARIABLES_MAX) {
                    throw new IOException("the list of variables has no end");
                }
            }
            if (first != start || room <= 0) {
                throw new IOException("the variables are not where the kernel puts them");
            }
            return new Surroundings(list, listed, start, room);
        }
    }

    /**
     * Have exactly these variables from now on.
     *
     * @throws IOException there is no room for them
     */
    void become(Map<?, ?> variables) throws IOException {
        ByteArrayOutputStream texts = new ByteArrayOutputStream(room);
        List<Long> places = new ArrayList<>();
        for (Map.Entry<?, ?> each : variables.entrySet()) {
            places.add(start + texts.size());
            String text = each.getKey() + "=" + each.getValue() + "\0";
            texts.write(text.getBytes(StandardCharsets.UTF_8));
        }
        if (texts.size() > room || places.size() > listed) {
            throw new IOException("the function has more variables than there is room for");
        }
        texts.write(new byte[room - texts.size()]);
        ByteBuffer pointers =
                ByteBuffer.allocate(POINTER_BYTES * listed).order(ByteOrder.nativeOrder());
        places.forEach(pointers::putLong);
        try (RandomAccessFile memory = memory()) {
            memory.seek(start);
            memory.write(texts.toByteArray());
            memory.seek(list);
            memory.write(pointers.array());
        }
    }

    private static RandomAccessFile memory() throws IOException {
        return new RandomAccessFile("/proc/self/mem", "rw");
    }

    private static long next(RandomAccessFile memory) throws IOException {
        byte[] bytes = new byte[POINTER_BYTES];
        memory.readFully(bytes);
        return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).getLong();
    }

    private static String[] stat() throws IOException {
        ByteArrayOutputStream found = new ByteArrayOutputStream();
        try (InputStream file = new FileInputStream("/proc/self/stat")) {
            byte[] part = new byte[4096];
            for (int length = file.read(part); length > 0; length = file.read(part)) {
                found.write(part, 0, length);
            }
        }
        String text = new String(found.toByteArray(), StandardCharsets.ISO_8859_1);
        return text.substring(text.lastIndexOf(')') + 2).trim().split(" ");
    }
}
