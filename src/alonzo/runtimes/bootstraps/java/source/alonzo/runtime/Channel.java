package alonzo.runtime;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The frames to and from the daemon, over an inherited socket. See {@code runtimes/framing.py}. */
final class Channel {
    static final int INVOKE = 1;
    static final int CONFIG = 2;
    static final int READY = 16;
    static final int RESPONSE = 17;
    static final int ERROR = 18;
    static final int INIT_ERROR = 19;

    private final DataInputStream input;
    private final FileOutputStream output;

    Channel(int descriptor) throws ReflectiveOperationException {
        FileDescriptor file = descriptor(descriptor);
        input = new DataInputStream(new BufferedInputStream(new FileInputStream(file), 1 << 16));
        output = new FileOutputStream(file);
    }

    /** An inherited descriptor. Java has no other way to one that is a socket. */
    static FileDescriptor descriptor(int number) throws ReflectiveOperationException {
        Constructor<FileDescriptor> make = FileDescriptor.class.getDeclaredConstructor(int.class);
        make.setAccessible(true);
        return make.newInstance(number);
    }

    /** One call. */
    static final class Call {
        final Map<String, Object> header;
        final byte[] event;

        Call(Map<String, Object> header, byte[] event) {
            this.header = header;
            this.event = event;
        }
    }

    /** Whether anything has come that nobody has received. */
    boolean hasInput() throws IOException {
        return input.available() > 0;
    }

    /** The variables that a process gets that was started without; null: the daemon has gone. */
    Map<?, ?> receiveVariables() throws IOException {
        Call frame = receive(CONFIG);
        String text = frame == null ? "null" : new String(frame.event, StandardCharsets.UTF_8);
        return (Map<?, ?>) Json.parse(text);
    }

    /** The next call; null: the daemon has gone. */
    Call receive() throws IOException {
        return receive(INVOKE);
    }

    @SuppressWarnings("unchecked")
    private Call receive(int expected) throws IOException {
        int length;
        try {
            length = input.readInt();
        } catch (EOFException gone) {
            return null;
        }
        int kind = input.readUnsignedByte();
        if (kind != expected) {
            throw new IOException("the daemon sent a frame of kind " + kind);
        }
        byte[] head = new byte[input.readUnsignedShort()];
        input.readFully(head);
        byte[] event = new byte[length - 3 - head.length];
        input.readFully(event);
        String text = new String(head, StandardCharsets.UTF_8);
        Object header = text.isEmpty() ? null : Json.parse(text);
        return new Call((Map<String, Object>) header, event);
    }

    void send(int kind, Map<String, Object> header, byte[] body) throws IOException {
        byte[] head =
                header.isEmpty()
                        ? new byte[0]
                        : Json.text(header).getBytes(StandardCharsets.UTF_8);
        int length = 3 + head.length + body.length;
        byte[] frame = new byte[4 + length];
        frame[0] = (byte) (length >>> 24);
        frame[1] = (byte) (length >>> 16);
        frame[2] = (byte) (length >>> 8);
        frame[3] = (byte) length;
        frame[4] = (byte) kind;
        frame[5] = (byte) (head.length >>> 8);
        frame[6] = (byte) head.length;
        System.arraycopy(head, 0, frame, 7, head.length);
        System.arraycopy(body, 0, frame, 7 + head.length, body.length);
        output.write(frame);
    }
}
