package com.amazonaws.services.lambda.crac;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Resources in the order of their registration. Each is told, whatever the others throw.
 *
 * <p>What {@code org.crac} registers holds on to the function's own resource only weakly, so that
 * nothing here keeps that alive.
 */
final class Registered extends Context<Resource> {
    private final List<Resource> resources = new ArrayList<>();

    @Override
    public synchronized void register(Resource resource) {
        // One that registers again is the last from then on. Its own equals() says nothing here.
        resources.removeIf(each -> each == resource);
        resources.add(resource);
    }

    /** In the reverse order of their registration. */
    @Override
    public synchronized void beforeCheckpoint(Context<? extends Resource> context)
            throws CheckpointException {
        List<Resource> last = new ArrayList<>(resources);
        Collections.reverse(last);
        CheckpointException failed = new CheckpointException();
        for (Resource resource : last) {
            try {
                resource.beforeCheckpoint(this);
            } catch (CheckpointException several) {
                gather(failed, several);
            } catch (Exception error) {
                failed.addSuppressed(error);
            }
        }
        if (failed.getSuppressed().length > 0) {
            throw failed;
        }
    }

    /** In the order of their registration. */
    @Override
    public synchronized void afterRestore(Context<? extends Resource> context)
            throws RestoreException {
        RestoreException failed = new RestoreException();
        for (Resource resource : new ArrayList<>(resources)) {
            try {
                resource.afterRestore(this);
            } catch (RestoreException several) {
                gather(failed, several);
            } catch (Exception error) {
                failed.addSuppressed(error);
            }
        }
        if (failed.getSuppressed().length > 0) {
            throw failed;
        }
    }

    private static void gather(Exception into, Exception several) {
        for (Throwable each : several.getSuppressed()) {
            into.addSuppressed(each);
        }
    }
}
