//! A request, what has to come back, and how both are compared.

use super::ADMIN_TOKEN;
use eyre::{Result, WrapErr, bail, ensure, eyre};
use serde_json::{Value, json};
use std::{future::pending, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// Longer than the server waits for anything.
const LONGEST: Duration = Duration::from_mins(1);

/// What the client does once it has sent what it had to send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// It waits for an answer.
    Waits,
    /// It says that no more will come.
    Ends,
    /// It goes on with a byte now and then.
    Drips,
}

/// What has to come back.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// An error in the published envelope.
    Error(u16, &'static str, Option<String>),
    /// A status alone, of a server that never understood what was asked.
    Status(u16),
    /// No answer, and the end of the connection.
    Nothing,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    pub(super) then: Then,
    pub(super) expected: Expected,
}

/// A request of HTTP with `headers`, and the detail of the error that it meets.
pub(super) fn case(
    request: &str,
    headers: &str,
    status: u16,
    code: &'static str,
    detail: &str,
) -> Case {
    let detail = (!detail.is_empty()).then(|| detail.to_owned());
    let head = format!("{request} HTTP/1.1\r\nhost: api\r\nconnection: close\r\n{headers}");
    let expected = Expected::Error(status, code, detail);
    Case { head, body: Vec::new(), then: Then::Waits, expected }
}

/// `GET /api/v1…` with a key, which is malformed.
pub(super) fn invalid(path: &str, key: &str, detail: &str) -> Case {
    case(&format!("GET /api/v1{path}"), &bearer(key), 400, "INVALID_INPUT", detail)
}

pub(super) fn bearer(secret: &str) -> String {
    format!("authorization: Bearer {secret}\r\n")
}

/// A request of `/internal/v1` with the admin's token and a body.
pub(super) fn entry(request: &str, body: impl Into<Vec<u8>>, detail: &str) -> Case {
    let (method, path) = request.split_once(' ').unwrap_or_default();
    let (body, request) = (body.into(), format!("{method} /internal/v1{path}"));
    let length = body.len();
    let headers = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
    let headers = bearer(ADMIN_TOKEN) + &headers;
    Case { body, ..case(&request, &headers, 400, "INVALID_INPUT", detail) }
}

impl Case {
    /// The same that meets another error.
    pub(super) fn meets(self, status: u16, code: &'static str) -> Self {
        let Expected::Error(_, _, detail) = self.expected else { return self };
        Self { expected: Expected::Error(status, code, detail), ..self }
    }

    /// The same, after which the client does something else.
    pub(super) fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    /// The same with one more header.
    pub(super) fn with(mut self, header: &str) -> Self {
        self.head += header;
        self.head += "\r\n";
        self
    }
}

impl Case {
    /// Sends it as the `number`th request, and returns all that came back until the server ended
    /// the connection.
    pub(super) async fn answered(&self, server: &str, number: usize) -> Result<String> {
        let (mut read, mut write) = TcpStream::connect(server).await?.into_split();
        let mut request = self.head.clone().into_bytes();
        if matches!(self.expected, Expected::Error(..)) {
            request.extend(format!("x-request-id: {}\r\n\r\n", id(number)).into_bytes());
        }
        request.extend(&self.body);
        // A server that has read enough may refuse the rest.
        let sending = async {
            let _ = write.write_all(&request).await;
            if matches!(self.then, Then::Ends) {
                let _ = write.shutdown().await;
            }
            while matches!(self.then, Then::Drips) && write.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(500)).await;
            }
            pending::<()>().await;
        };
        let mut answer = Vec::new();
        let reading = timeout(LONGEST, read.read_to_end(&mut answer));
        tokio::select! {
            // What came before a reset counts.
            ended = reading => drop(ended.wrap_err("the server does not end it")?),
            () = sending => {}
        }
        Ok(String::from_utf8(answer)?)
    }

    /// Fails unless the answer is the expected one.
    pub(super) fn check(&self, number: usize, answer: &str) -> Result<()> {
        let (status, code, detail) = match &self.expected {
            Expected::Nothing => {
                ensure!(answer.is_empty(), "an answer");
                return Ok(());
            }
            Expected::Status(status) => {
                let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
                ensure!(head.starts_with(&format!("HTTP/1.1 {status} ")) && body.is_empty());
                return Ok(());
            }
            Expected::Error(status, code, detail) => (*status, *code, detail),
        };
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| eyre!("no head"))?;
        ensure!(head.starts_with(&format!("HTTP/1.1 {status} ")), "another status");
        let says = |line: &str| head.lines().any(|header| header.eq_ignore_ascii_case(line));
        ensure!(says("content-type: application/json"), "no JSON");
        ensure!(says(&format!("x-request-id: {}", id(number))), "another name");
        ensure!(status != 401 || says("www-authenticate: Bearer"), "no scheme");
        ensure!(status != 405 || says("allow: GET,HEAD"), "no other method");
        let mut body: Value = serde_json::from_str(body)?;
        let envelope = body.as_object_mut().ok_or_else(|| eyre!("no envelope"))?;
        let time = envelope.remove("timestamp");
        let time = time.as_ref().and_then(Value::as_str).ok_or_else(|| eyre!("no time"))?;
        ensure!(time.len() == "2026-05-13T11:30:00.000Z".len() && time.ends_with('Z'), "{time}");
        let said = envelope.remove("message");
        let said = said.as_ref().and_then(Value::as_str).unwrap_or_default();
        match code {
            "INSUFFICIENT_SCOPE" => ensure!(said.starts_with("Missing required scope: "), "{said}"),
            code => ensure!(said == message(code)?, "{said}"),
        }
        let mut expected = json!({ "statusCode": status, "code": code });
        if let Some(detail) = detail {
            expected["detail"] = json!(detail);
        }
        ensure!(body == expected, "another error");
        Ok(())
    }
}

/// What the `number`th request is called, so that it can be found in the log.
pub(super) fn id(number: usize) -> String {
    format!("bad-request-{number}.")
}

/// The meaning of a code, for people.
fn message(code: &str) -> Result<&'static str> {
    Ok(match code {
        "NOT_AUTHENTICATED" => "Session expired or missing",
        "REVOKED_API_KEY" => "API key has been revoked",
        "NOT_AUTHORIZED" => "Not authorized for this operation",
        "INVALID_INPUT" => "Invalid request payload",
        "NOT_FOUND" => "Resource not found",
        "SESSION_NOT_FOUND" => "Session not found",
        "METHOD_NOT_ALLOWED" => "Method not allowed",
        "INVALID_STATE" => "Operation not allowed in the current state",
        "CONFLICT" => "Conflicts with an existing resource",
        "UNAVAILABLE" => "Service temporarily unavailable",
        other => bail!("nobody expects {other}"),
    })
}
