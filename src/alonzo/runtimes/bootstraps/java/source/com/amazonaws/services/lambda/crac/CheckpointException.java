package com.amazonaws.services.lambda.crac;

/** What resources threw before a snapshot: see its suppressed exceptions. */
public class CheckpointException extends Exception {
    private static final long serialVersionUID = 1;
}
