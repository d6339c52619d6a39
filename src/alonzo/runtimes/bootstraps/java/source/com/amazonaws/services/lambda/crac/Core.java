package com.amazonaws.services.lambda.crac;

/**
 * Where the resources of a function register. The library {@code org.crac}, which functions bring,
 * finds this package by the system property {@code org.crac.Core.Compat}, as on AWS.
 */
public final class Core {
    private static final Context<Resource> GLOBAL = new Registered();

    private Core() {}

    public static Context<Resource> getGlobalContext() {
        return GLOBAL;
    }

    /** Nobody but the platform takes snapshots. */
    public static void checkpointRestore() {
        throw new UnsupportedOperationException();
    }
}
