public class Timeout {
    public static void handler() throws InterruptedException {
        Thread.sleep(60_000);
    }
}
