package com.amazonaws.services.lambda.crac;

/** Several resources as one. */
public abstract class Context<R extends Resource> implements Resource {
    protected Context() {}

    @Override
    public abstract void beforeCheckpoint(Context<? extends Resource> context)
            throws CheckpointException;

    @Override
    public abstract void afterRestore(Context<? extends Resource> context) throws RestoreException;

    /** Have {@code resource} told from now on. */
    public abstract void register(R resource);
}
