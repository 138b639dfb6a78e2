//! `/table` over every style of table.

use serde_json::{Value, json};

use crate::server::Server;

/// Title, rows, total, mean, highest, lowest.
type Expected<'a> = (&'a str, usize, &'a str, &'a str, (&'a str, &'a str), (&'a str, &'a str));

async fn check(table: &str, expected: Expected<'_>) {
    check_request(json!({"table": table}), expected).await;
}

async fn check_request(request: Value, (title, rows, total, mean, highest, lowest): Expected<'_>) {
    let server = Server::start().await;
    let answer = server.post("/table", &request).await.ok();
    let expected = json!({
        "title": title, "rows": rows, "total": total, "mean": mean,
        "highest": {"name": highest.0, "value": highest.1}, "lowest": {"name": lowest.0, "value": lowest.1},
    });
    // The order of the keys counts: the bundled model knows them so.
    assert_eq!(answer.to_string(), expected.to_string(), "{request}");
}

const CITIES: Expected<'_> = ("orders per city", 3, "632", "210.67", ("Tampa Falls", "435"), ("Ghent", "97"));

#[tokio::test]
async fn each_separator_is_recognised() {
    check("city,orders\nTampa Falls,435\nGhent,97\nRiga,100", CITIES).await;
    check("city;orders\nTampa Falls;435\nGhent;97\nRiga;100\n", CITIES).await;
    check("city\torders\nTampa Falls\t435\nGhent\t97\nRiga\t100", CITIES).await;
    check("city | orders\nTampa Falls | 435\nGhent | 97\nRiga | 100", CITIES).await;
    check("| city | orders |\n| --- | ---: |\n| Tampa Falls | 435 |\n| Ghent | 97 |\n| Riga | 100 |", CITIES).await;
    check("orders per city:\nTampa Falls: 435\nGhent: 97\nRiga: 100", CITIES).await;
}

#[tokio::test]
async fn the_title_is_the_line_before() {
    let with = |title: &str| format!("Quarterly letter.\n\n{title}\n\ncity,orders\nGhent,97\nRiga,100\n\nThe end.");
    for (line, title) in [("## Orders of May:", "Orders of May"), ("**Orders", "Orders"), ("#", "Quarterly letter.")] {
        check(&with(line), (title, 2, "197", "98.5", ("Riga", "100"), ("Ghent", "97"))).await;
    }
    check("Ghent: 97\nRiga: 100", ("values", 2, "197", "98.5", ("Riga", "100"), ("Ghent", "97"))).await;
    check("Ghent,97\nRiga,100", ("values", 2, "197", "98.5", ("Riga", "100"), ("Ghent", "97"))).await;
}

#[tokio::test]
async fn the_value_column_is_the_last_or_the_named_one() {
    let table = "city,orders,visits\nGhent,97,5\nRiga,100,4";
    check(table, ("visits per city", 2, "9", "4.5", ("Ghent", "5"), ("Riga", "4"))).await;
    let named = |column: &str| json!({"table": table, "column": column});
    let orders = ("orders per city", 2, "197", "98.5", ("Riga", "100"), ("Ghent", "97"));
    check_request(named("orders"), orders).await;
    check_request(named(" Orders "), orders).await;
    let server = Server::start().await;
    let why = server.post("/table", &named("profit")).await.refused(422, "no_column");
    assert_eq!(why, "the table has no such column of numbers; its columns: city, orders, visits");
}

#[tokio::test]
async fn numbers_keep_their_spelling_and_sums_are_exact() {
    let table = "item;price\na;0.10\nb;0.20\nc;-1.5\nd;007";
    check(table, ("price per item", 4, "5.80", "1.45", ("d", "007"), ("c", "-1.5"))).await;
}

#[tokio::test]
async fn what_is_no_number_is_not_counted() {
    let table = "city;orders\nGhent;97\nRiga;1,290\nOslo;5%\nRome;\nLima;3";
    check(table, ("orders per city", 2, "100", "50", ("Ghent", "97"), ("Lima", "3"))).await;
}

#[tokio::test]
async fn the_first_of_equals_is_named() {
    check("x;y\na;5\nb;5.0\nc;1\nd;1", ("y per x", 4, "12.0", "3", ("a", "5"), ("c", "1"))).await;
}

#[tokio::test]
async fn prose_around_a_table_is_not_one() {
    let text =
        "Dear all, in May we sold more, 12 in fact\n\nResult: 5\n\nSales\n| m | v |\n|---|---|\n| a | 1 |\n| b | 2 |";
    check(text, ("Sales", 2, "3", "1.5", ("b", "2"), ("a", "1"))).await;
}

#[tokio::test]
async fn text_without_a_table_is_refused() {
    let server = Server::start().await;
    for text in ["", "Just a sentence.", "a,b\nc,d", "one two\nthree four"] {
        let why = server.post("/table", &json!({"table": text})).await.refused(422, "no_table");
        assert_eq!(why, "no table found");
    }
}

#[tokio::test]
async fn columns_of_a_pdf_are_a_table() {
    let server = Server::start().await;
    let rows = [("City", "Orders"), ("Ghent", "97"), ("Tampa Falls", "435")];
    let shown: String = rows
        .iter()
        .zip(0..)
        .map(|((name, value), row)| {
            let y = 700 - 20 * row;
            format!("1 0 0 1 50 {y} Tm ({name}) Tj 1 0 0 1 300 {y} Tm ({value}) Tj ")
        })
        .collect();
    let file = crate::pdf::bytes(crate::pdf::with_contents([&format!("BT /F 10 Tf {shown} ET")[..]]));
    let answer = server.post("/table", &json!({"document": crate::server::document("a.pdf", &file)})).await.ok();
    assert_eq!((&answer["total"], &answer["title"]), (&json!("532"), &json!("Orders per City")));
}
