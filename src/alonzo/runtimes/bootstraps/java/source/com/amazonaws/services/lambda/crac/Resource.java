package com.amazonaws.services.lambda.crac;

/** What wants to know that a snapshot is about to be taken, and that one was restored. */
public interface Resource {
    void beforeCheckpoint(Context<? extends Resource> context) throws Exception;

    void afterRestore(Context<? extends Resource> context) throws Exception;
}
