package example;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.LinkedHashMap;
import java.util.Map;

/** Where it is, and what its variables are, by every way that there is to ask. */
public class Places {
    public Map<String, Object> variables() throws IOException {
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("map", System.getenv());
        found.put("one", System.getenv("_HANDLER"));
        found.put("absent", System.getenv("ABSENT"));
        found.put("of_child", said(new ProcessBuilder("/usr/bin/env")));
        ProcessBuilder changed = new ProcessBuilder("/usr/bin/env");
        changed.environment().put("ADDED", "1");
        found.put("of_changed_child", said(changed));
        found.put("kernel", text(new FileInputStream("/proc/self/environ")));
        return found;
    }

    public Map<String, Object> folders() throws IOException {
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("io", text(new FileInputStream("settings.txt")));
        found.put("nio", new String(Files.readAllBytes(Paths.get("settings.txt"))));
        found.put("exists", new File("settings.txt").exists());
        found.put("absolute", new File("settings.txt").getAbsolutePath());
        found.put("canonical", new File("settings.txt").getCanonicalPath());
        found.put("nio_absolute", Paths.get("settings.txt").toAbsolutePath().toString());
        found.put("property", System.getProperty("user.dir"));
        found.put("kernel", Files.readSymbolicLink(Paths.get("/proc/self/cwd")).toString());
        found.put("child", said(new ProcessBuilder("/bin/sh", "-c", "pwd; umask")));
        String command = text(new FileInputStream("/proc/self/cmdline"));
        found.put("parked", command.endsWith("\0parked\0"));
        return found;
    }

    private static String said(ProcessBuilder program) throws IOException {
        return text(program.redirectErrorStream(true).start().getInputStream());
    }

    private static String text(InputStream stream) throws IOException {
        ByteArrayOutputStream into = new ByteArrayOutputStream();
        byte[] part = new byte[4096];
        try (InputStream open = stream) {
            for (int length = open.read(part); length > 0; length = open.read(part)) {
                into.write(part, 0, length);
            }
        }
        return new String(into.toByteArray(), StandardCharsets.UTF_8);
    }
}
