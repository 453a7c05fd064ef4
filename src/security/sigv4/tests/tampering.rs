//! Whatever is changed about a signed request makes it worthless.

use super::*;

const MISMATCH: AuthErrorCode = AuthErrorCode::InvalidSignature;
const UNKNOWN: AuthErrorCode = AuthErrorCode::UnrecognizedClient;

fn mismatch() -> String {
    AuthError::mismatch().message().to_owned()
}

#[test]
fn the_parts_of_a_request_are_signed() {
    for form in ["header", "query"] {
        let usual = || vector(&format!("{form}: a usual request"));
        let odd = || vector(&format!("{form}: several values of a name"));
        assert!(usual().check().is_ok() && odd().check().is_ok());
        let changed = [
            usual().change(|sent| sent.method = "PUT".to_owned()),
            usual().change(|sent| sent.method = "post".to_owned()),
            usual().change(|sent| sent.path = "/x".to_owned()),
            usual().change(|sent| sent.path = "/x/%2e%2e".to_owned()),
            usual().change(|sent| sent.query += "&x"),
            usual().change(|sent| sent.query += "&x=1"),
            usual().change(|sent| sent.body.push(b' ')),
            usual().change(|sent| sent.body.clear()),
            usual().change(|sent| *sent.header("host") = b"localhost:4568".to_vec()),
            usual().change(|sent| *sent.header("content-type") = b"application/json".to_vec()),
            usual().change(|sent| sent.header("x-amz-target").push(b'x')),
            usual().change(|sent| sent.headers.push(("x-amz-target".to_owned(), b"x".to_vec()))),
            usual().change(|sent| sent.headers.push(("HOST".to_owned(), Vec::new()))),
            usual().change(|sent| sent.headers.retain(|(name, _)| name != "Content-Type")),
            odd().change(|sent| drop(sent.headers.remove(2))),
            odd().change(|sent| sent.headers.swap(2, 3)),
        ];
        for (at, sent) in changed.iter().enumerate() {
            assert_eq!(sent.refusal(), (MISMATCH, mismatch()), "{form}, change {at}");
        }
    }
}

#[test]
fn what_is_not_signed_may_be_added() {
    for form in ["header", "query"] {
        let sent = vector(&format!("{form}: a usual request")).change(|sent| {
            sent.headers.push(("Via".to_owned(), b"1.1 proxy".to_vec()));
            sent.headers.rotate_right(1);
            sent.path = "/a/..//./".to_owned();
        });
        assert!(sent.check().is_ok(), "{form}");
    }
}

#[test]
fn the_parts_of_a_header_are_signed() {
    let usual = || vector("header: a usual request");
    let temporary = || vector("header: a session token");
    for (at, (sent, code)) in [
        (usual().edit("AKIDEXAMPLE", "AKIDEXAMPLF"), UNKNOWN),
        (usual().edit("AKIDEXAMPLE", "akidexample"), UNKNOWN),
        (usual().edit("AKIDEXAMPLE", ""), UNKNOWN),
        // Known, but these keys want a token.
        (usual().edit("AKIDEXAMPLE", "ASIAEXAMPLE"), UNKNOWN),
        (usual().edit("us-east-1", "us-east-2"), MISMATCH),
        (usual().edit("/20261121/", "/20261120/"), MISMATCH),
        (usual().edit("content-type;", ""), MISMATCH),
        (usual().change(|sent| sent.query = "X-Amz-Signature=x".to_owned()), MISMATCH),
        (usual().edit("content-type;", "Content-Type;"), MISMATCH),
        (usual().edit("host;x-amz-date", "x-amz-date;host"), MISMATCH),
        (usual().edit("x-amz-target,", "x-amz-target;x-more,"), MISMATCH),
        (usual().change(|sent| *sent.header("x-amz-date") = b"20261121T150406Z".into()), MISMATCH),
        (temporary().edit("ASIAEXAMPLE", "AKIDEXAMPLE"), UNKNOWN),
        (temporary().change(|sent| sent.header("x-amz-security-token").push(b'=')), UNKNOWN),
        (temporary().change(|sent| sent.header("x-amz-security-token").clear()), UNKNOWN),
        (temporary().change(|sent| drop(sent.headers.remove(3))), UNKNOWN),
        (
            usual().change(|sent| {
                sent.headers.push(("x-amz-security-token".to_owned(), b"x".to_vec()));
            }),
            UNKNOWN,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(sent.refusal().0, code, "change {at}");
    }
}

#[test]
fn the_parts_of_a_signed_url_are_signed() {
    let usual = || vector("query: a usual request");
    let temporary = || vector("query: a session token");
    for (at, (sent, code)) in [
        (usual().edit_query("AKIDEXAMPLE", "AKIDEXAMPLF"), UNKNOWN),
        (usual().edit_query("AKIDEXAMPLE", "ASIAEXAMPLE"), UNKNOWN),
        (usual().edit_query("us-east-1", "us-east-2"), MISMATCH),
        (usual().edit_query("T150405Z", "T150406Z"), MISMATCH),
        (usual().edit_query("Expires=300", "Expires=299"), MISMATCH),
        (usual().edit_query("content-type%3B", ""), MISMATCH),
        (usual().edit_query("&X-Amz-Signature", "&X-Amz-Extra=1&X-Amz-Signature"), MISMATCH),
        (usual().edit_query("&X-Amz-Signature=", "&X-Amz-Signature=0"), MISMATCH),
        (
            usual().edit_query("&X-Amz-Signature", "&X-Amz-Security-Token=x&X-Amz-Signature"),
            UNKNOWN,
        ),
        (temporary().edit_query("Security-Token=F", "Security-Token=f"), UNKNOWN),
        (temporary().edit_query("X-Amz-Security-Token=", "X-Amz-Security-Tokem="), UNKNOWN),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(sent.refusal().0, code, "change {at}");
    }
}

#[test]
fn every_digit_of_a_signature_counts() {
    let usual = vector("header: a usual request");
    let text = String::from_utf8(usual.clone().header("authorization").clone()).unwrap();
    let at = text.find("Signature=").unwrap() + "Signature=".len();
    let signature = &text[at..];
    assert_eq!(signature.len(), 64);
    let with = |signature: &str| {
        usual.clone().change(|sent| {
            *sent.header("authorization") = [&text[..at], signature].concat().into();
        })
    };
    assert!(with(signature).check().is_ok());
    for digit in 0..64 {
        let mut changed = signature.as_bytes().to_vec();
        changed[digit] = if changed[digit] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(with(&changed).refusal(), (MISMATCH, mismatch()), "digit {digit}");
    }
    let upper = signature.to_uppercase();
    let longer = format!("{signature}00");
    let other = "g".repeat(64);
    for changed in [&upper, &longer, &signature[..63], &signature[..62], "0", &other] {
        assert_eq!(with(changed).refusal(), (MISMATCH, mismatch()), "{changed}");
    }
}

#[test]
fn a_key_that_is_kept_helps_nobody_else() {
    let (mut verifier, known) = (verifier(), known());
    let usual = vector("header: a usual request");
    assert!(usual.verify(&mut verifier, &known, SIGNED).is_ok());
    let forged = usual.clone().change(|sent| sent.body.push(b' '));
    let error = forged.verify(&mut verifier, &known, SIGNED).unwrap_err();
    assert_eq!(error, AuthError::mismatch());
    assert!(usual.verify(&mut verifier, &known, SIGNED).is_ok());
}
