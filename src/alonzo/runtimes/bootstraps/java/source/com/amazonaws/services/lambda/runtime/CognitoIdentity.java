package com.amazonaws.services.lambda.runtime;

/** Who called, where a mobile SDK said so. */
public interface CognitoIdentity {
    String getIdentityId();

    String getIdentityPoolId();
}
