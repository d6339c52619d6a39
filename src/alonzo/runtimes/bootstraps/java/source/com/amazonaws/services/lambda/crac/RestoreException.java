package com.amazonaws.services.lambda.crac;

/** What resources threw after a restore: see its suppressed exceptions. */
public class RestoreException extends Exception {
    private static final long serialVersionUID = 1;
}
