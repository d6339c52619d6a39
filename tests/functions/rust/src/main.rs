//! Functions on AWS's client for Rust; the handler's name says which.

use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};
use std::time::Duration;

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    match std::env::var("_HANDLER")?.as_str() {
        "fail" if payload["name"] == "panic" => panic!("out of the blue"),
        "fail" => Err("redo from start".into()),
        "sleep" => {
            let seconds = payload["seconds"].as_f64().unwrap_or(60.0);
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            Ok(json!("awake"))
        }
        _ => {
            println!("hello from Rust");
            Ok(json!({
                "hello": payload["name"],
                "id": context.request_id,
                "arn": context.invoked_function_arn,
                "function": context.env_config.function_name,
                "memory": context.env_config.memory,
            }))
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}
