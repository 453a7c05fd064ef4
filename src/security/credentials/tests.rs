use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn refusal(text: &str) -> String {
    Credentials::parse(text).unwrap_err().to_string()
}

/// A complete profile.
fn profile(name: &str, id: &str) -> String {
    format!("[{name}]\naws_access_key_id={id}\naws_secret_access_key={SECRET}\n")
}

#[test]
fn a_file_of_the_aws_tools_is_read() {
    let text = "\u{feff}# keys of the shop\r\n\
                [default]\r\n\
                aws_access_key_id = AKIDEXAMPLE\r\n\
                aws_secret_access_key=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\r\n\
                region = eu-central-1\r\n\
                \r\n\
                ; a visitor\r\n\
                [ visitor two ]  # until Monday\r\n\
                AWS_Access_Key_Id\t=\tASIAVISITOR ; by role\r\n\
                \x20 aws_secret_access_key = a#b;c=\r\n\
                aws_session_token = FwoGZXIvYXdzEA==\r\n\
                s3 =\r\n\
                \x20   addressing_style = path";
    let credentials = Credentials::parse(text).unwrap();
    assert_eq!(credentials.len(), 2);
    let default = credentials.find("AKIDEXAMPLE").unwrap();
    assert_eq!((&**default.access_key_id(), &**default.profile()), ("AKIDEXAMPLE", "default"));
    assert_eq!(default.secret(), &Secret::new(SECRET));
    let visitor = credentials.find("ASIAVISITOR").unwrap();
    assert_eq!(&**visitor.profile(), "visitor two");
    assert_eq!(visitor.secret(), &Secret::new("a#b;c="), "no blank before them: no comment");
    assert!(visitor.takes_token(Some(b"FwoGZXIvYXdzEA==")));
    assert_eq!(credentials.find("akidexample"), None);
}

#[test]
fn a_token_must_come_where_the_profile_has_one_and_nowhere_else() {
    let text = profile("a", "A") + &profile("b", "B") + "aws_session_token=T";
    let credentials = Credentials::parse(&text).unwrap();
    let takes = |id, token: Option<&str>| {
        credentials.find(id).unwrap().takes_token(token.map(str::as_bytes))
    };
    assert!(takes("A", None) && takes("B", Some("T")));
    assert!(!takes("A", Some("T")) && !takes("A", Some("")));
    assert!(!takes("B", None) && !takes("B", Some("t")) && !takes("B", Some("TT")));
}

#[test]
fn what_stands_twice_is_refused() {
    assert_eq!(
        refusal(&(profile("a", "A") + &profile("a", "B"))),
        "line 4: profile [a] stands on line 1 already"
    );
    assert_eq!(
        refusal(&(profile("a", "A") + "\n" + &profile("b", "A"))),
        "line 5: profiles [a] and [b] have the same aws_access_key_id"
    );
    assert_eq!(
        refusal(&(profile("a", "A") + "aws_secret_access_key=x")),
        "line 4: profile [a] has aws_secret_access_key already"
    );
}

#[test]
fn what_is_missing_is_named() {
    let nobody = "line 1: there is no profile, so that nobody could sign a request";
    assert_eq!(refusal(""), nobody);
    assert_eq!(refusal("# nothing\n\n"), nobody);
    assert_eq!(
        refusal("\n[a]\naws_access_key_id=A\n[b]\n"),
        "line 2: profile [a] has no aws_secret_access_key"
    );
    assert_eq!(
        refusal("[a]\naws_secret_access_key=A"),
        "line 1: profile [a] has no aws_access_key_id"
    );
}

#[test]
fn a_malformed_line_is_named_by_its_number() {
    for (text, message) in [
        ("[a\n", "line 1: a profile starts with its name in brackets: [name]"),
        ("\n[ ]\n", "line 2: a profile starts with its name in brackets: [name]"),
        ("[a]b\n", "line 1: a profile starts with its name in brackets: [name]"),
        ("x=1\n", "line 1: a setting stands before the first profile ([name])"),
        ("[a]\nx\n", "line 2: neither a profile ([name]) nor a setting (name = value)"),
        (
            "[a]\naws_access_key_id=\n",
            "line 2: aws_access_key_id is empty; write its value or leave the line out",
        ),
        (
            "[a]\naws_secret_access_key=\"x\"\n",
            "line 2: aws_secret_access_key starts with a quote; write the value without quotes",
        ),
        ("[a]\naws_session_token=a b\n", "line 2: aws_session_token has a blank inside"),
        (
            "[a]\naws_access_key_id=a/b\n",
            "line 2: aws_access_key_id has a `/`, `,` or `=`; is it the secret?",
        ),
    ] {
        assert_eq!(refusal(text), message);
    }
}

#[test]
fn neither_secrets_nor_swapped_ids_are_printed() {
    let good = Credentials::parse(&(profile("a", "A") + "aws_session_token=TOKEN")).unwrap();
    let printed = format!("{good:?} {:?}", good.find("A"));
    assert!(!printed.contains(SECRET) && !printed.contains("TOKEN"), "{printed}");
    let swapped = format!("aws_access_key_id={SECRET}\naws_secret_access_key={SECRET}\n");
    for text in [
        SECRET.to_owned(),
        format!("[a]\n{SECRET}\n"),
        format!("[a]\naws_secret_access_key {SECRET}\n"),
        format!("[a]\naws_secret_access_key = '{SECRET}'\n"),
        format!("[a]\naws_secret_access_key = {SECRET} {SECRET}\n"),
        format!("[a]\n{swapped}"),
        swapped,
    ] {
        let error = Credentials::parse(&text).unwrap_err();
        let printed = format!("{error} {error:?}");
        assert!(!printed.contains(SECRET), "{printed}");
    }
}
