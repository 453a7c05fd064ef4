use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn json(payload: &'static [u8]) -> impl FnOnce(&mut Vec<u8>) {
    |out| out.extend_from_slice(payload)
}

/// Made with Python's struct and zlib, by the table of the format.
#[test]
fn frames_have_the_bytes_that_the_format_says() {
    let initial = "00000068000000564e6817240d3a6d6573736167652d747970650700056576656e740b3a6576656e\
                   742d74797065070010696e697469616c2d726573706f6e73650d3a636f6e74656e742d7479706507\
                   00106170706c69636174696f6e2f6a736f6e7b7dfe942c1d";
    assert_eq!(written(initial_response), bytes(initial));
    let refused = "0000008300000064d9bbb06a0d3a6d6573736167652d747970650700096578636570\
                   74696f6e0f3a657863657074696f6e2d747970650700165265736f75726365496e55736545786365\
                   7074696f6e0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b22\
                   6d657373616765223a2278227de1ecdf10";
    let frame = written(|out| {
        exception("ResourceInUseException", out, json(br#"{"message":"x"}"#));
    });
    assert_eq!(frame, bytes(refused));
    let failed = "00000049000000396fc46d590d3a6d6573736167652d747970650700056572726f72\
                  0b3a6572726f722d636f6465070001610e3a6572726f722d6d65737361676507000162a0a6ae09";
    assert_eq!(written(|out| error("a", "b", out)), bytes(failed));
}

#[test]
fn frames_behind_each_other_are_read_one_by_one() {
    let stream = written(|out| {
        initial_response(out);
        event("SubscribeToShardEvent", out, json(br#"{"Records":[]}"#));
        exception("InternalFailureException", out, json(b"{}"));
    });
    let mut rest = stream.as_slice();
    let mut names = Vec::new();
    while let Some((frame, length)) = decode(rest).unwrap() {
        let kind = frame.header(":message-type").unwrap();
        let name = frame.header(":event-type").or(frame.header(":exception-type")).unwrap();
        assert_eq!(frame.header(":content-type"), Some("application/json"));
        names.push(format!("{kind} {name} {}", frame.payload.len()));
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    let expected = [
        "event initial-response 2",
        "event SubscribeToShardEvent 14",
        "exception InternalFailureException 2",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_frame_is_not_read_before_it_is_there_wholly() {
    let frame = written(initial_response);
    for end in 0..frame.len() {
        assert_eq!(decode(&frame[..end]), Ok(None), "{end} bytes");
    }
    let longer = [frame.as_slice(), b"more"].concat();
    assert_eq!(decode(&longer).unwrap().unwrap().1, frame.len());
}

#[test]
fn every_flipped_bit_is_found() {
    let mut frame = written(initial_response);
    for bit in 0..frame.len() * 8 {
        frame[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&frame).is_err(), "bit {bit}");
        frame[bit / 8] ^= 1 << (bit % 8);
    }
}

/// A frame with these raw headers, whose CRCs fit.
fn with_headers(headers: &[u8], declared: usize) -> Vec<u8> {
    let total = (PRELUDE_BYTES + headers.len() + CRC_BYTES) as u32;
    let mut frame = total.to_be_bytes().to_vec();
    frame.extend_from_slice(&(declared as u32).to_be_bytes());
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame.extend_from_slice(headers);
    frame.extend_from_slice(&crc32(&frame).to_be_bytes());
    frame
}

#[test]
fn headers_of_other_types_are_passed_over() {
    let mut headers = Vec::new();
    for (kind, length) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
        headers.extend([1, b'x', kind]);
        headers.extend(vec![0xff; length]);
    }
    headers.extend([1, b'b', 6, 0, 2, 0xff, 0xff, 1, b't', 7, 0, 2, b'o', b'k']);
    let bytes = with_headers(&headers, headers.len());
    let (frame, _) = decode(&bytes).unwrap().unwrap();
    assert_eq!(frame.headers, [("t", "ok")]);
    assert_eq!(frame.header("x"), None);
}

#[test]
fn impossible_lengths_and_headers_are_refused() {
    assert_eq!(decode(&with_headers(&[], 1)), Err(BadFrame::Lengths));
    assert_eq!(decode(&with_headers(&[], u32::MAX as usize)), Err(BadFrame::Lengths));
    let unknown_type = [1, b'x', 10];
    let cut_value = [1, b'x', 7, 0, 2, b'o'];
    let cut_name = [2, b'x'];
    let not_utf8 = [1, b'x', 7, 0, 1, 0xff];
    for headers in [unknown_type.as_slice(), &cut_value, &cut_name, &not_utf8] {
        assert_eq!(decode(&with_headers(headers, headers.len())), Err(BadFrame::Header));
    }
}

#[test]
fn a_long_value_is_cut_between_characters() {
    let long = "ü".repeat(20_000);
    let bytes = written(|out| error("a", &long, out));
    let (frame, _) = decode(&bytes).unwrap().unwrap();
    assert_eq!(frame.header(":error-message"), Some(&long[..32_766]));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(headers in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = decode(&headers);
        let _ = decode(&with_headers(&headers, headers.len()));
    }
}
