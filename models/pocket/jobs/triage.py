"""code-review-triage: a pull request -> severity and area."""
from render import Calls, answer, opening, parsed, user_message

NAME = "code-review-triage"
VERBS = (
    "load save parse fetch build send update delete create merge render check open close sync find sort encode decode handle "
    "compute resolve start stop read write apply copy filter group split"
).split()
NOUNS = (
    "user order cache token session payment report queue config image search index upload profile ticket cart email login "
    "router parser metrics schedule export import message account invoice storage worker event product address coupon job"
).split()
# (area, severity): title, description, changed lines. Several kinds of change may share a label.
CHANGES = [
    ("security", "critical", [
        "Build SQL for {mod} search from user input", "Add {mod} filter to SQL query", "Raw SQL in {fn}", "Query {mod} by name",
        "<Concatenate|Assemble> the SQL of {mod} <by hand|from parameters>", "Use string formatting for the {mod} SQL",
        "Pass the {mod} name straight into the SQL", "Dynamic SQL for the {mod} page", "Put request parameters into the {mod} SQL",
        "Free SQL search in {mod}",
    ], [
        "The query string is concatenated with request parameters.", "Uses string formatting to put the user input into the SQL.",
        "SQL is assembled by hand from the request.", "User input <goes|gets> into the SQL statement without escaping.",
        "An attacker could <inject|run> SQL through the {mod} field.", "SQL injection is possible through {mod}.",
        "The SQL is built from request parameters without binding.", "The {mod} parameter is put into the SQL query unchecked.",
    ], [
        "+ sql = \"SELECT * FROM {mod} WHERE name='\" + name + \"'\"", "+ cursor.execute(f\"SELECT * FROM {mod} WHERE id={{id}}\")",
        "+ db.query(\"SELECT * FROM {mod} WHERE key = '\" + key + \"'\")", "+ sql += \" AND {var} = '\" + request.args[\"{var}\"] + \"'\"",
        "+ query = \"DELETE FROM {mod} WHERE key=\" + params[\"key\"]",
    ]),
    ("security", "critical", [
        "Add API key for {mod} service", "Configure {mod} credentials", "Hardcode {mod} password for now", "Commit {mod} private key",
        "Put the {mod} secret into the source", "Store the {mod} password in the code", "Add production <secret|password> for {mod}",
        "Check in the {mod} access key", "Default password for {mod}", "Include the {mod} API secret",
    ], [
        "The secret is committed in the source file.", "Adds the production password to the code.",
        "The private key is now part of the repository.", "The <password|API key> of {mod} is hardcoded.",
        "Credentials of {mod} are stored in plain text in the source.", "An API key for production is checked in.",
        "Everybody with access to the repository can see the <password|secret>.", "The access key is written into the code.",
    ], [
        "+ API_KEY = \"sk-{key}\"", "+ password = \"{key}\"", "+ {mod}_secret: \"{key}\"", "+ const TOKEN = \"{key}{key}\";",
        "+ SECRET = \"{key}{key}\"",
    ]),
    ("security", "critical", [
        "Skip auth check in {fn}", "Allow {mod} endpoint without login", "Remove permission check from {mod}",
        "Make the {mod} API public without authentication", "Open the {mod} route to everyone", "Disable login for {mod}",
        "Drop authentication from {fn}", "Let anyone call {fn}", "Bypass the permission check in {mod}", "No login needed for {mod}",
    ], [
        "Any caller can now reach the {mod} data without a login.", "The authentication check is removed to make testing easier.",
        "Drops the authorization step before {mod} access.", "The endpoint no longer <checks|asks for> permissions.",
        "Everyone can read and change {mod} without authentication.", "The permission check <is|was> skipped.",
        "The login check is gone, so anyone may call it.", "Anonymous users get access to all {mod} data.",
    ], [
        "- if not user.is_admin: raise Forbidden()", "- require_login(request)", "- @login_required", "+ allow_anonymous = True",
        "- check_permission(user, \"{mod}\")",
    ]),
    ("security", "high", [
        "Render {mod} comment as HTML", "Show raw {mod} text in page", "Disable escaping in {mod} view", "Print {mod} input unescaped",
        "Allow HTML in {mod} messages", "Insert {mod} text without escaping", "Turn off HTML escaping for {mod}",
        "Show user HTML in {mod}", "Raw output of {mod} comments", "Unescaped {mod} names in the page",
    ], [
        "User text is put into the page without escaping.", "The template marks the {mod} text as safe HTML.",
        "Browser output contains unescaped user content, so XSS is possible.", "User content is rendered as raw HTML.",
        "Scripts in {mod} text would run in the browser.", "HTML from users is no longer escaped.",
        "The page shows user input without escaping.", "Cross-site scripting is possible through {mod}.",
    ], [
        "+ el.innerHTML = {var}.text", "+ {{{{ {var} | safe }}}}", "+ return Markup({var})", "+ div.insertAdjacentHTML(\"beforeend\", {var})",
        "+ document.write({var})",
    ]),
    ("security", "high", [
        "Use MD5 for {mod} passwords", "Turn off TLS verification in {fn}", "Hash {mod} with SHA1", "Weak hash for {mod}",
        "Accept any certificate for {mod}", "Disable certificate check for {mod}", "Skip TLS verification of {mod}",
        "Store {mod} passwords as MD5", "Use an old cipher for {mod}", "Ignore invalid certificates in {fn}",
    ], [
        "Passwords are hashed with a weak algorithm.", "Certificate verification is disabled for the {mod} client.",
        "Weak cryptography is used for {mod} data.", "The certificate of {mod} is no longer verified.",
        "MD5 is used for passwords.", "TLS verification is turned off for {mod}.", "Any certificate is accepted.",
        "The cipher is old and weak.",
    ], [
        "+ h = md5(password)", "+ requests.get(url, verify=False)", "+ cipher = DES.new(key)", "+ danger_accept_invalid_certs(true)",
        "+ digest = sha1(secret)",
    ]),
    ("security", "medium", [
        "Log {mod} request headers", "Return stack trace to the {mod} client", "Set {mod} cookie without secure flag",
        "Expose {mod} internals in errors", "Show internal {mod} errors to visitors", "Write {mod} tokens to the log",
        "Verbose error pages for {mod}", "Print session ids of {mod} in the log", "Send the stack trace with {mod} errors",
        "Cookie of {mod} without HttpOnly",
    ], [
        "Error responses now contain internal details.", "The cookie lacks the HttpOnly and Secure flags.",
        "Internal details of {mod} leak into the answer.", "Headers with tokens are written to the log.",
        "Clients can see the stack trace.", "Session ids <end up|are written> in the log.",
        "The error page shows internal details to visitors.", "Internal paths are exposed in error messages.",
    ], [
        "+ return str(traceback)", "+ set_cookie(\"{var}\", v, secure=False)", "+ log.info(request.headers)", "+ response.body = stack_trace",
        "+ body = error.internal_details",
    ]),
    ("performance", "high", [
        "Load {mod} inside loop", "Query {mod} for every row", "Fetch all {mod} records in {fn}", "Read the full {mod} table",
        "Loop over {mod} with one query each", "One query per {mod} in {fn}", "Load the whole {mod} table on each request",
        "Select every {mod} in a loop", "Fetch {mod} one by one", "Query in a loop for {mod}",
    ], [
        "Runs one query per {mod}, so requests take {n} seconds with many rows.",
        "The endpoint now reads the full {mod} table on every request.", "N+1 queries make the {mod} page very slow in production.",
        "Every row <causes|needs> its own query.", "Loads all {mod} records into memory on every request.",
        "The page runs one query for each {mod} and times out.", "Requests take {n} seconds because of the loop with queries.",
        "The database <gets|sees> one query per row, production is very slow.",
    ], [
        "+ for x in {var}s: x.{mod} = db.get(x.id)", "+ rows = db.all(\"SELECT * FROM {mod}\")", "+ for id in ids: load_{mod}(id)",
        "+ {mod}s = await Promise.all(rows.map(r => db.find(r)))", "+ {var}s.map(x => db.query(x.id))",
    ]),
    ("performance", "medium", [
        "Copy {mod} list in {fn}", "Use quadratic lookup for {mod}", "Sort {mod} on each call", "Linear scan over {mod}",
        "Scan the {mod} array repeatedly", "Nested loop over {mod}", "Sort the {mod} list every time", "Search {mod} by linear scan",
        "Recompute {mod} on each call", "Quadratic merge of {mod} lists",
    ], [
        "The lookup is quadratic in the number of {mod} entries.", "Adds {ms} ms per call because the list is sorted each time.",
        "Each lookup is a linear scan, which is slow for large {mod} lists.", "The list is copied on every call.",
        "The nested loop is slow for many {mod} entries.", "Sorting on each call costs {ms} ms.",
        "Runtime grows with the square of the {mod} count.", "It <scans|walks> the whole list for each lookup.",
    ], [
        "+ if {var} in list({mod}s):", "+ {mod}s = sorted({mod}s)", "+ for a in {mod}s:\n+   for b in {mod}s:", "+ {mod}s.sort()",
        "+ for a in {mod}s: for b in {mod}s:",
    ]),
    ("performance", "low", [
        "Cache {mod} result", "Avoid clone of {mod}", "Reuse {mod} buffer in {fn}", "Preallocate the {mod} vector",
        "Save an allocation in {fn}", "Small speed-up in {fn}", "Fewer allocations in {mod}", "Reuse the {mod} buffer",
        "Remove a needless clone in {mod}", "Faster {mod} lookup",
    ], [
        "Small speed-up: saves one allocation per call.", "Saves about {n} microseconds per request.",
        "Minor optimization with fewer allocations.", "A little faster.", "Avoids one copy per call.", "The buffer is reused now.",
        "Slightly faster because of the cache.", "Minor speed-up, same results.",
    ], [
        "- let x = {var}.clone();", "+ buf.clear()", "+ @lru_cache", "+ {var}.reserve({n});", "+ Vec::with_capacity({n})",
    ]),
    ("correctness", "critical", [
        "Change {mod} migration to drop column", "Delete old {mod} rows on start", "Overwrite {mod} data in {fn}",
        "Remove {mod} table in migration", "Truncate the {mod} table at boot", "Drop the {mod} table", "Delete all {mod} records in {fn}",
        "Migration drops {mod} data", "Erase {mod} data at start", "Clear the {mod} table on each start",
    ], [
        "Existing {mod} data is lost when this runs.", "The migration drops the column without a backup.",
        "All stored {mod} records are erased and cannot be restored.", "Data of all {mod} entries will be lost.",
        "The table is dropped and there is no backup.", "Deletes production data.", "Stored data is overwritten and lost.",
        "After this runs, all {mod} data is gone.",
    ], [
        "+ ALTER TABLE {mod} DROP COLUMN {var};", "+ DELETE FROM {mod};", "+ DROP TABLE {mod};", "+ db.drop(\"{mod}\")",
        "+ TRUNCATE {mod};",
    ]),
    ("correctness", "critical", [
        "Charge {mod} twice on retry", "Retry payment in {fn} without idempotency key", "Change rounding of {mod} total",
        "Repeat the {mod} charge on timeout", "Charge the customer again in {fn}", "Retry the {mod} charge", "Double charge in {fn}",
        "Wrong amount charged in {mod}", "Bill {mod} again after an error", "New rounding of the payment in {mod}",
    ], [
        "A retry can charge the customer two times.", "Customers may pay a wrong amount after this change.",
        "Customers could be billed double when the call times out.", "The customer is charged <again|twice> on a retry.",
        "Wrong amounts are charged to customers.", "Payments may be <made|booked> twice.",
        "The charge is repeated after a timeout, so customers pay twice.", "Customers could be charged too much.",
    ], [
        "+ for i in range(3): charge(card, amount)", "+ amount = round(amount)", "+ if failed: charge_again(customer)",
        "+ while not ok: ok = pay(total)", "+ retry(charge, {n})",
    ]),
    ("correctness", "high", [
        "Fix race condition in {mod}", "Remove lock from {fn}", "Share {mod} state between threads", "Access {mod} without the mutex",
        "Data race in {fn}", "Race between {mod} threads", "Concurrent access to {mod}", "Drop the mutex around {mod}",
        "Deadlock in {mod}", "Unlocked write to {mod}",
    ], [
        "Two threads can write the {mod} at the same time.", "Concurrent requests lead to wrong results.",
        "Without the mutex the {mod} state gets corrupted under load.", "There is a data race between two threads.",
        "The lock is missing, so threads overwrite each other.", "Under load the {mod} threads block each other for ever.",
        "Parallel requests corrupt the {mod} state.", "Two threads may change it at once.",
    ], [
        "- with lock:", "+ static mut {var}: u32 = 0;", "- mutex.lock()", "- let guard = {var}.lock();", "- synchronized ({var}) {{",
    ]),
    ("correctness", "high", [
        "Crash in {fn} on empty {mod}", "Unwrap {mod} in {fn}", "Null pointer in {mod} handler", "Panic when {mod} is missing",
        "{fn} crashes without {mod}", "Index out of range in {fn}", "Null {mod} crashes the service", "Panic in {fn}",
        "Crash on missing {mod}", "Service crash in {fn}",
    ], [
        "The service crashes when the {mod} is missing.", "An empty list causes a panic in {fn}.",
        "A missing {mod} brings the whole process down.", "The process crashes on an empty {mod}.",
        "A null value leads to a crash.", "It panics when there is no {mod}.", "The server goes down when {mod} is null.",
        "Crashes with an empty list.",
    ], [
        "+ let v = {var}.unwrap();", "+ return {var}[0]", "+ {var}!.name", "+ value = {var}.get(0).name", "+ assert({var} != null)",
    ]),
    ("correctness", "medium", [
        "Off by one in {fn}", "Fix wrong default for {mod}", "Handle negative {mod} value", "Wrong boundary in {mod} loop",
        "Wrong limit in {fn}", "Fix the {mod} counter", "Last {mod} is skipped", "Wrong order of {mod} in {fn}",
        "Fix the default of {mod}", "Incorrect comparison in {fn}",
    ], [
        "The last {mod} is skipped in the loop.", "The default was wrong for new entries.",
        "The final element of the {mod} list is not processed.", "The loop stops one entry too early.", "The limit was off by one.",
        "Negative values gave a wrong result.", "The comparison was the wrong way round.", "The counter of {mod} was wrong.",
    ], [
        "+ for i in range(len({var}) - 1):", "+ limit = limit or {n}", "+ if {var} <= {n}:", "- if {var} > 0:",
        "+ while i < {var}.length - 1",
    ]),
    ("correctness", "medium", [
        "Swallow exception in {fn}", "Ignore error from {mod}", "Empty catch in {mod} handler", "Drop the error of {mod} silently",
        "Ignore the result of {fn}", "Catch all errors in {mod}", "Silence errors of {mod}", "Do not report {mod} errors",
        "Suppress exceptions in {fn}", "Skip failed {mod} silently",
    ], [
        "Errors from {mod} are silently ignored now.", "The exception is caught and nothing is logged.",
        "Failures of {mod} go unnoticed.", "The error is dropped without a message.", "Nobody sees when {mod} fails.",
        "Exceptions are swallowed.", "The result is ignored, errors too.", "Errors are caught and forgotten.",
    ], [
        "+ except Exception: pass", "+ let _ = {fn}();", "+ catch (e) {{}}", "+ if err != nil {{ return nil }}", "+ rescue nil",
    ]),
    ("style", "low", [
        "Rename {var} to {mod}", "Format {mod} with black", "Remove unused import in {mod}", "Tidy up names in {mod}",
        "Fix indentation in {fn}", "Sort imports of {mod}", "Apply linter to {mod}", "Whitespace cleanup in {mod}",
        "Reformat the {mod} file", "Better variable names in {fn}", "Cosmetic changes in {mod}", "Consistent naming in {mod}",
        "Formatting of {fn}", "Remove trailing whitespace in {mod}", "Rename variables in {mod}",
    ], [
        "No change in behavior, only names.", "Pure formatting.", "Cosmetic cleanup, nothing functional.", "Only whitespace.",
        "Linter warnings are gone.", "Just spaces and line breaks.", "Formatting only.", "Names are more consistent now.",
        "Only renames variables.", "Imports are sorted, nothing else.",
    ], [
        "- import os, sys", "- {var}_tmp = {var}", "+ {mod}_name = {var}", "-   return x", "+ import {mod}", "- int  {var}=0;",
        "+ int {var} = 0;", "+     return {var}",
    ]),
    ("style", "medium", [
        "Large refactoring of {mod} module names", "Split {mod} into smaller functions", "Move {mod} helpers to new package",
        "Restructure the {mod} package", "Refactor the {mod} module", "Break up {fn} into functions", "Reorganize {mod} files",
        "Move {mod} code to another module", "Refactor {fn} into a class", "Extract helpers from {mod}",
    ], [
        "Moves code around without changing what it does.", "The function was too long and is split up.",
        "Reorganizes the files, the logic stays the same.", "A refactoring with the same behavior.",
        "The module is split into smaller parts.", "Code is moved, the logic is unchanged.", "Large refactoring, no new features.",
        "The class was too big and is broken up.",
    ], [
        "- class {mod}Manager:", "+ def {fn}_part2({var}):", "- from {mod} import *", "+ mod {mod}_helpers;", "+ class {mod}Base:",
    ]),
    ("docs", "low", [
        "Fix typo in {mod} readme", "Update docs for {fn}", "Add comment to {mod}", "Correct a spelling mistake in the {mod} guide",
        "Typo in the {mod} documentation", "Document {fn}", "Better wording in the {mod} guide", "Improve the {mod} readme",
        "Add an example to the {mod} docs", "Fix a broken link in the {mod} docs",
    ], [
        "Only the documentation changes.", "Fixes a typo.", "Spelling only.", "Better wording, no code.", "Documentation only.",
        "Adds a comment for readers.", "A link in the docs was broken.", "Corrects the spelling in the readme.",
    ], [
        "+ See the {mod} guide.", "- teh {mod}", "+ # {mod} overview", "+ Example: {fn}({n})", "+ /// Describes {mod}.",
    ]),
    ("docs", "medium", [
        "Document breaking change in {mod}", "Correct wrong install steps for {mod}", "Rewrite {mod} upgrade guide",
        "Replace the wrong {mod} instructions in the manual", "Fix wrong instructions in the {mod} manual",
        "Wrong setup steps in the {mod} guide", "Document the removal of {mod}", "New migration guide for {mod}",
        "Install guide of {mod} was wrong", "Document the breaking {mod} API",
    ], [
        "The old instructions were wrong and led users to break their setup.", "The guide described options that no longer exist.",
        "Readers who followed the manual got a broken setup.", "The install steps in the guide were wrong.",
        "Explains the breaking change to users.", "The upgrade guide <missed|lacked> important steps.",
        "The manual told users to use removed options.", "Wrong instructions are replaced.",
    ], [
        "+ ## Upgrading {mod}", "- run install --{var}", "+ Breaking: {mod} was renamed", "+ 1. Stop the {mod} first",
        "+ Note: {mod} was removed in version {n}",
    ]),
    ("tests", "low", [
        "Add test for {fn}", "Cover {mod} edge cases", "More unit tests for {mod}", "Test the {mod} helper", "Unit tests for {fn}",
        "Add tests of {mod}", "Integration test for {mod}", "Test {fn} with empty input", "Raise test coverage of {mod}",
        "New test cases for {mod}",
    ], [
        "Adds unit tests, no production code.", "Coverage of {mod} rises to {n}%.", "Only new test cases.", "Tests only.",
        "New tests for {fn}.", "Covers the empty case with a test.", "More test coverage, no other change.",
        "Adds a test for an old bug.",
    ], [
        "+ def test_{fn}():", "+ assert {fn}(1) == 2", "+ it(\"handles {var}\", () => {{", "+ #[test]", "+ expect({fn}({n})).toBe(true)",
    ]),
    ("tests", "medium", [
        "Skip flaky {mod} test", "Disable failing {mod} tests", "Increase timeout of {mod} test", "Mark {mod} tests as ignored",
        "Ignore the unstable {mod} test", "Turn off {mod} tests", "Retry flaky {mod} tests", "Comment out failing test of {fn}",
        "Skip the slow {mod} tests", "Remove a failing {mod} test",
    ], [
        "The test fails from time to time, so it is skipped for now.", "Several tests are turned off until {mod} is stable.",
        "The unstable checks no longer run.", "The flaky test is disabled.", "The test is ignored until it is fixed.",
        "Failing tests are skipped for now.", "The tests no longer run in CI.", "It failed too often, so it is turned off.",
    ], [
        "+ @pytest.mark.skip", "+ #[ignore]", "+ it.skip(\"{var}\"", "- def test_{fn}():", "+ test.skip = true",
    ]),
]
# Wordings for train and held alone, in the order of CHANGES.
MORE = [
    (["<Build|Create|Compose> the {mod} <query|statement> <from|with> <raw|plain> <input|parameters>",
      "<Add|New> <sort|order> parameter in the SQL of {fn}",
      "<Interpolate|Format> the {mod} id into the SQL"],
     ["<The|Our> SQL <string|text> <contains|includes> <unchecked|raw|unescaped> <input|request data|form values>.",
      "<Form|Request|URL> values are <glued|pasted|formatted> into the SQL <of|for> {mod}.", "<This|It> opens {fn} for SQL injection."],
     ["+ rows = db.raw(\"SELECT * FROM {mod} ORDER BY \" + {var})", "+ stmt = format!(\"SELECT * FROM {mod} WHERE id = {{}}\", {var})",
      "+ conn.exec(`UPDATE {mod} SET x = ${{req.body.{var}}}`)"]),
    (["<Add|Commit|Save> <the|a> {mod} <token|secret|password> <to|in> the <config|code|repository>", "<Embed|Inline> the {mod} credentials",
      "Ship the <private key|API token> of {mod}"],
     ["<The|A> <real|live|production> <token|password|key> <is|stands> in the <file|diff|config>.",
      "<Embeds|Adds> the <database|{mod}> password <as a constant|in the code>.",
      "The <token|secret> of {mod} is <visible|readable> in the <diff|repository>."],
     ["+ aws_key_id = \"{key}{key}\"", "+ db_url = \"postgres://admin:{key}@{mod}\"", "+ token: \"{key}\"",
      "+ private_key = \"{key}{key}{key}\""]),
    (["<Remove|Disable|Skip> <the login|authentication|the permission check|authorization> <for|in> <{fn}|{mod} calls>",
      "<Make|Turn> the {mod} endpoint <public|open>",
      "<Allow|Permit> anonymous <access to|calls of> {mod}"],
     ["<The|Any> caller <needs|has to show> no <login|token|permission> <any more|for {mod}>.",
      "<Requests|Calls> to {mod} are no longer <authenticated|authorized>.",
      "<Visitors|Strangers|Guests> <can|may> <see|delete> {mod} <data|entries> <now|without a login>."],
     ["- authorize!({var})", "+ if true {{ // was: user.can({var})", "- middleware.use(auth)", "+ public = True", "- ensure_admin({var})"]),
    (["<Show|Render|Print> {mod} <text|notes> <as raw HTML|without escaping>",
      "<Switch|Turn> off the <HTML filter|sanitizer> <for|in> {mod}", "Trust HTML from users of {mod}"],
     ["<The|Our> <view|page|template> <prints|shows> {mod} <text|input> as <raw|unfiltered> HTML.",
      "<Opens|Allows> <XSS|cross-site scripting> <in|via> {fn}.",
      "<Text|Input> of users is <inserted|shown> <unfiltered|unescaped>."],
     ["+ <p v-html=\"{var}\"></p>", "+ {{!! {var} !!}}", "+ dangerouslySetInnerHTML={{{{__html: {var}}}}}", "- escape({var})",
      "- {var} = sanitize({var})"]),
    (["<Use|Choose> <a weak|an outdated> <hash|cipher> <for|in> {mod}",
      "<Switch|Turn> off <certificate checks|TLS checks> <in|for> <{mod}|{fn}>", "<Hash|Sign> {mod} <with|by> MD5"],
     ["<The|Our> <client|connection> <trusts|takes> <every|all> <certificate|certificates>.",
      "<Weak|Broken|Outdated> <hashing|encryption> <for|of> {mod} <data|secrets>.",
      "TLS <checks|certificates> <are|get> <ignored|not checked> in {fn}."],
     ["+ ssl.check_hostname = False", "+ rejectUnauthorized: false", "+ hash = MD5.new({var})", "+ InsecureSkipVerify: true",
      "+ cipher = RC4({var})"]),
    (["<Log|Print|Trace> <the|full> {mod} <tokens|headers|session ids>", "<Return|Send> <detailed|debug> errors <from|of> {fn}",
      "<Loosen|Relax> the cookie flags <of|for> {mod}"],
     ["<The|Our> log <now contains|shows> <tokens|session ids|request headers>.",
      "<Error|Failure> <pages|answers> <reveal|show> <internal paths|internal details|stack traces>.",
      "The {mod} cookie <is set|comes> without <the Secure flag|SameSite>."],
     ["+ logger.debug(session.id)", "+ print(\"token\", {var}.token)", "+ res.send(err.stack)", "+ httponly=False",
      "+ show_internal_errors = true"]),
    (["<Load|Query|Fetch> {mod} <for each row|per row|once per entry>",
      "<Read|Select> <all|the complete> {mod} <rows|table> <in|from> {fn}", "N+1 <queries|lookups> in {fn}"],
     ["<Each|Every> <page|call|request> <runs|needs> <{n} queries|one query per entry|a full table read>.",
      "<Production|The page|The endpoint> <becomes|gets> very slow <with many rows|because of the queries>.",
      "<Requests|Calls> <take|need> {n} seconds <with|for> many {mod} rows."],
     ["+ for r in rows: r.{mod} = query({var})", "+ for {var} in db.all(): db.get({var})", "+ all = {mod}.find({{}})",
      "+ {var}s.forEach(x => fetch(x))"]),
    (["<Sort|Copy|Scan> <the|all> {mod} <entries|items> <in each|on every> call", "<Quadratic|Nested> <search|loop> in {fn}",
      "<Use|Introduce> a linear search <in|for> {mod}"],
     ["<The|This> <loop|search|lookup> is <quadratic|linear> in the <{mod} count|list size>.",
      "<Costs|Adds|Takes> {ms} ms <more|extra> <per|on each> call.",
      "<The|Our> {mod} list is <sorted|copied|scanned> <each time|again and again>."],
     ["+ copy = list({mod}s)", "+ {var} = {mod}s.indexOf(x)", "+ while any(x in {var} for x in {mod}s):", "+ {mod}s.clone().sort()",
      "+ {var}.filter(x => {mod}s.includes(x))"]),
    (["<Cache|Reuse|Memoize> <the|a> {mod} <value|result|object>", "<Small|Minor|Tiny> <optimization|speed-up> <in|of> {fn}",
      "<Avoid|Skip> <an extra|a needless> <clone|conversion> in {fn}"],
     ["<Saves|Spares> <a clone|{n} bytes|{n} allocations> per request.",
      "<A small|A minor|A tiny> <speed-up|optimization|gain><, same results|>.",
      "{fn} is <a bit|slightly|a little> faster <now|with the cache>."],
     ["+ cache[{var}] = {mod}", "- {var} = copy({var})", "+ static {mod}_cache", "+ {mod}_buf.truncate(0)", "- {var}.to_string()"]),
    (["<Delete|Drop|Erase|Wipe> <all|old|the stored> {mod} <data|rows|entries> <in|from> {fn}",
      "Migration <removes|deletes> the {mod} <table|column>", "<Overwrite|Replace> stored {mod} <files|data>"],
     ["<All|The|Old> {mod} <rows|entries|files> are <deleted|erased|wiped> <for ever|without a copy>.",
      "<Customers|Users> lose <their|all> {mod} data.",
      "<This|The migration> <destroys|deletes> <data|rows> that <cannot be restored|nobody has saved>."],
     ["+ rm -rf data/{mod}", "+ {mod}.delete_all()", "+ os.remove({var}_db)", "+ DELETE FROM {mod} WHERE 1=1;", "+ drop_table(:{mod})"]),
    (["<Repeat|Retry> the {mod} payment <on error|after a timeout>", "<Charge|Bill> {mod} two times <on failure|in {fn}>",
      "Round the <price|amount> <of|for> {mod} <charges|bills>"],
     ["<Customers|Buyers> <may|can|could> <pay|be charged> <twice|two times|a wrong amount>.",
      "<A|The> <payment|charge> <may run|is sent> <twice|again> <on errors|after a timeout>.",
      "<The|Some> <price|amount|sum> that customers pay is <wrong|too high> <after this|now>."],
     ["+ charge({var}) # again", "+ total = int(total)", "+ while True: pay({var})", "+ price = floor(price)", "+ on_timeout: bill(customer)"]),
    (["<Remove|Drop> the <lock|mutex> <in|from> {fn}", "<Share|Use> {mod} <in|across> threads <without a lock|unlocked>",
      "<Possible|Rare> deadlock in {fn}"],
     ["<Two|Several|Parallel> <threads|workers> <write|change> the {mod} <at once|without a lock>.",
      "<The|A> race <between threads|on the {mod}> <is possible|gives wrong results>.",
      "<Threads|Workers> <can|may> <deadlock|wait for each other for ever>."],
     ["- {var}.lock()", "- async with {var}_lock:", "+ unsafe {{ {var} += 1; }}", "- pthread_mutex_lock(&{var});",
      "+ go func() {{ {var}++ }}()"]),
    (["<Crash|Panic|Segfault> in {fn} <with|on|for> <an empty|a missing> {mod}", "<Unwrap|Dereference> <the|a missing> {mod} in {fn}",
      "{mod} can be null in {fn}"],
     ["<The|Our> <server|process|service|app> <crashes|panics|dies> <on|with> <an empty|a missing> {mod}.",
      "{fn} <panics|crashes> <if|when> <the list is empty|{mod} is null>.",
      "<A|An unexpected> null <brings down|stops> the <server|process>."],
     ["+ {var}.unwrap().name", "+ return {mod}s[len({mod}s)]", "+ *{var} = 0;", "+ {var}.expect(\"{mod}\")", "- if {var} is None: return"]),
    (["<Wrong|Fix|Correct> <boundary|default|count|order> <of|for> {mod}", "<Off-by-one|Wrong start value> in the {mod} loop",
      "{fn} <skips|misses> <the first|the last> {mod}"],
     ["<The|A> <default|counter|boundary|sign> <of|for> {mod} was <wrong|one too low|not right>.",
      "<The|Our> loop <misses|skips> <the last|the first|one> {mod}.",
      "<Zero|Negative numbers|An empty value> <gave|led to> a wrong {mod}."],
     ["- for i in range({n}):", "+ return {var} + 1", "- if {var} < {n}:", "+ {var} = max({var}, 0)", "+ default = {n}"]),
    (["<Ignore|Swallow|Hide> <errors|exceptions|failures> <in|of|from> {fn}", "<Empty|Silent> <catch|except> <in|for> {mod}",
      "<Do not|Never> <log|raise> {mod} errors"],
     ["<Errors|Exceptions|Failures> <in|of> {fn} are <ignored|swallowed|dropped><| silently>.",
      "<No|Not one> {mod} error is <logged|reported> <any more|now>.",
      "<The|Each> failure is <caught|hidden> and <lost|ignored>."],
     ["+ except: continue", "+ .catch(() => {{}})", "+ _ = {fn}({var})", "+ on error resume next", "- raise", "- log.error({var})"]),
    (["<Rename|Reorder|Reformat> <the|some> {mod} <names|lines>", "<Formatting|Whitespace|Naming> <of|in> {fn}",
      "<Run|Apply> <the formatter|rustfmt|prettier> <on|to> {mod}"],
     ["<Only|Just|Purely> <formatting|cosmetic|renaming|spacing><, no change in behavior|>.",
      "<The|All> <names|lines> are <tidier|sorted|shorter> now.",
      "<Cosmetic|Style> changes <only|alone>."],
     ["- {var} =1", "+ {var} = 1", "- if({var}){{", "+ if ({var}) {{", "- from os import *", "- def {fn} ( {var} ):"]),
    (["<Split|Break> {fn} into <parts|smaller pieces>",
      "<Move|Relocate> <the|all> {mod} <code|files|classes> <to a new folder|to their own package>", "<Restructuring|New structure> of {mod}"],
     ["<Large|Big|Broad> <refactoring|restructuring><, same behavior|, the logic is unchanged>.",
      "<The|Much> {mod} code <moves|is moved> to <new files|another package>.",
      "<The|A> long <class|function|file> is <split|cut up>, <it does the same|nothing else changes>."],
     ["- mod {mod};", "+ from .{mod} import {fn}", "+ class {mod}Service:", "- def {fn}_all({var}):", "+ package {mod}.core;"]),
    (["<Fix|Correct> <a typo|spelling|grammar> in <the|our> {mod} <readme|guide>", "<Add|Write> <a comment|an example> <for|to> {fn}",
      "<Docs|Readme>: <clearer|better> <words|sentences> on {mod}"],
     ["<A|One> <typo|spelling mistake|comma> in the <readme|docs> is <fixed|corrected>.",
      "<Only|Just> <comments|docs|the readme> <change|are touched>.",
      "<Explains|Describes> {fn} <better|with an example>."],
     ["- recieve the {mod}", "+ receive the {mod}", "+ // see {fn}", "+ ## Example", "+ [guide](docs/{mod}.md)"]),
    (["<Correct|Replace|Rewrite> <wrong|misleading> {mod} <steps|options> in the <docs|guide>",
      "<Announce|Describe> <the removal|the breaking change> of {mod}", "<Upgrade|Migration> <guide|notes> for {mod}"],
     ["<The|Our> <guide|manual> <was wrong|misled users> <about|on> {mod}.",
      "<Users|Readers> who followed the <guide|docs> <broke their setup|got errors>.",
      "<Tells|Shows> users how to <move|migrate> after the breaking change."],
     ["- Set {var}=true to install", "+ ## Breaking changes", "+ ### Migration of {mod}", "- Run {fn} before the upgrade",
      "+ {mod} no longer exists, use {var}"]),
    (["<Add|Write> <a test|tests> for the {mod} module", "<Test|Cover> {fn} <with|for> <negative|large|empty> {mod}",
      "<Better|Higher> test coverage <of|in> {mod}"],
     ["<Only|Just> <tests|test code>, <nothing else|no change of the product>.", "<Contains|Brings> {n} <tests|test cases> of the {mod} module.",
      "<The|An old> {mod} bug now has a <test|regression test>."],
     ["+ def test_{mod}_{fn}(self):", "+ assert_eq!({fn}({n}), {n});", "+ describe(\"{mod}\", () => {{",
      "+ func Test_{fn}(t *testing.T) {{", "+ self.assertTrue({fn}())"]),
    (["<Skip|Disable|Mute> <the|some|flaky> {mod} <tests|test cases>", "<Turn off|Comment out> <the|an unstable> test of {fn}",
      "<Longer timeout|More retries> for <the|flaky> {mod} tests"],
     ["<The|Some|Flaky> <tests|checks> <are skipped|are off|do not run> <for now|until later|in CI>.",
      "<The|A> {mod} test <fails|failed> <at random|now and then>, so it is <skipped|off|disabled>.",
      "<Turns off|Skips> {n} <unstable|failing> tests."],
     ["+ t.Skip(\"flaky\")", "+ xit(\"{var}\", () => {{", "+ @unittest.skip(\"{mod}\")", "- #[test]", "+ @Disabled"]),
]
MORE_ASIDES = [
    "<Closes|Fixes|Refs|See> #{n}.", "<Asked for|Wished|Requested> by {who}.", "<Took|Cost> me <a day|an afternoon|{n} hours>.",
    "<The|My> branch is <up to date|rebased>.",
    "<CI|The build> is <green|running>.", "<I|We> <built|checked> it <on my laptop|in staging|on Linux>.",
    "<More|The rest> <follows|comes> <next week|in #{n}>.",
    "<cc|Thanks to|Together with> {who}.", "<The|Our> plan is in the <wiki|ticket>.", "<First|One> step <of|towards> the {mod} work.",
    "<Changelog|Release notes>: <yes|not needed>.",
    "<Questions|Comments>? Ask {who}.", "<Squash|Please squash> <it|the commits>.", "<Backport|Port> to version {n} <later|is planned>.",
    "Checklist: [x] built [x] <signed|self-reviewed>",
]
CONTEXT = [  # unchanged lines of a diff
    " def {fn}({var}):", "     return {var}", " {var} = {mod}.{fn}()", " fn {fn}({var}: u32) {{", " }}", " if {var} > {n}:",
    "     {fn}({var})", " let {var} = {n};",
    " // {mod}", " const {var} = {mod}[{n}];", " for {var} in {mod}s:", " else:", " class {mod}:", " func {fn}({var} int) {{", " ",
    "@@ -{n},7 +{n},8 @@",
    "@@ -{n},{n} +{n},{n} @@ {fn}", "     self.{var} = {var}", "     {var}.{fn}()", " return {n}", " #[derive(Debug)]", " import {mod}",
]
PROSE = [" # {mod}", " The {mod} is described in chapter {n}.", " ", " - {var}: see {fn}", "@@ -{n},7 +{n},8 @@", " ## {mod} and {var}",
" Call {fn} with {n}."]
LONG = 1500, 2700  # characters
STATS = [
    "{f} | {n} files, +{a} -{d}", "{n} files changed, {a} insertions(+), {d} deletions(-)\n{f}", "Diff: {f} (+{a}/-{d})",
    "Files: {f}, {n} in total\n+{a} -{d}", "+{a} -{d} in {n} files, mainly {f}", "{f}: {a} added, {d} removed",
    "Changed: {f} (+{a} -{d})", "{f}\n{a} additions, {d} deletions", "{f} | {a} +", "Diff stat: {a} added, {d} removed, {f}",
]
ASIDES = [
    "Please have a look.", "Part of the {mod} work.", "Closes #{n}.", "Follow-up to the last change.", "Ready for review.",
    "Tested locally.", "See the ticket for details.", "This was requested by the {mod} team.", "Needed for the next release.",
    "Based on main.", "I am happy about comments.", "Draft, more commits may follow.", "Reviewed by {who} in person.",
    "This took me {n} hours.", "Please merge before the release.", "Relates to #{n}.", "We discussed it in the meeting.",
    "The {mod} part comes later.", "Let me know what you think.", "Second attempt.",
]
LAYOUTS = [
    "Title: {title}\nDescription: {desc}\n{stat}\n\n{hunk}", "PR #{num}: {title}\n\n{desc}\n\n{stat}\n{hunk}",
    "{title}\n\n{desc}\n\n```diff\n{hunk}\n```\n{stat}", "Pull request by {who}\nTitle: {title}\nBody: {desc}\nDiffstat: {stat}\nHunk:\n{hunk}",
    "## {title}\n{stat}\n\n{desc}\n\n{hunk}", "# {title}\n\n{desc}\n\n{hunk}", "{title} (#{num})\n{desc}\n\n{stat}\n\n{hunk}",
    "From: {who}\nSubject: [PATCH] {title}\n\n{desc}\n---\n{stat}\n\n{hunk}", "{title}\n{desc}\n{hunk}",
    "Change {num} by {who}\n{title}\n\n{desc}\n\n{stat}\n{hunk}",
]
LAYOUTS_WITHOUT_DIFF = [
    "Title: {title}\nDescription: {desc}\n{stat}", "PR #{num}: {title}\n\n{desc}\n\n{stat}", "{title} ({stat})\n\n{desc}",
    "{title}\n{desc}\n{stat}", "{who}: {title}\n\n{desc}", "Change: {title}\nWhy: {desc}\nSize: {stat}",
]
REQUESTS = [
    "Triage this PR.", "Please triage.", "New pull request:", "Rate this change.", "<Triage|Rate|Judge> the <pull request|change|PR>.",
    "Severity and area, please.", "How bad is it?", "Does a person have to look at this?", "<Classify|Sort> this <pull request|PR>.",
    "Pull request for review.", "Please rate the attached <change|pull request>.", "Review triage, please.", "A new change came in.",
    "Is this risky?", "Which area is this?", "Check this PR.", "Triage:", "PR:", "Give me severity and area.", "Look at this change.",
]
FOLDERS = {"docs": ["docs", "doc"], "tests": ["tests", "test", "spec"]}
EXTENSIONS = {"docs": ["md", "md", "rst"], "tests": ["py", "rs", "ts", "go"]}


def pull_request(g, long=False):
    (area, severity, *wordings), more = g.any(list(zip(CHANGES, MORE, strict=True)))
    wide, size = g.split != "unseen", g.int(*LONG) if long else 0

    def pick(templates, more):
        return g.any(more) if wide and g.p(0.5) else g.shape(templates)

    say_title, say_description, say_hunk = (lambda w=w, m=m: pick(w, m) for w, m in zip(wordings, more))
    noun = lambda: g.value(NOUNS) if g.p(0.75) else g.word().lower()
    slots = dict(
        fn=g.value(VERBS) + (f"_{noun()}" if g.p(0.6) else ""), mod=noun(), var=noun(), n=g.int(2, 90), ms=g.int(20, 900),
        key=g.hex(8), who=g.person(),
    )
    file = f"{g.any(FOLDERS.get(area, ['src', 'lib', 'app', 'internal', 'services']))}/{slots['mod']}"
    file += (f"/{noun()}" if g.p(0.5) else "") + "." + g.any(EXTENSIONS.get(area, ["py", "rs", "ts", "go", "java"]))
    stat = g.shape(STATS).format(f=file, a=g.int(1, 500), d=g.any((0, g.int(0, 30), g.int(0, 300))), n=g.int(1, 20))
    title = g.vary(say_title()).format(**slots)
    prefix = ["", "", "", "fix: ", "feat: ", "chore: ", f"[{slots['mod'].upper()}-{g.int(10, 999)}] ", f"{slots['mod']}: "]
    fresh = lambda: slots | dict(fn=g.value(VERBS), mod=noun(), var=noun(), n=g.int(2, 400), who=g.person())
    scatter = lambda lines, line: lines.insert(g.r.randrange(len(lines) + 1), line)
    description = [g.vary(say_description()).format(**slots) for _ in range(g.any((1, 1, 2)))]
    hunk = [say_hunk().format(**slots) for _ in range(g.any((1, 1, 2)))]
    for _ in range(g.any((0, 0, 1, 2))):
        scatter(description, g.vary(pick(ASIDES, MORE_ASIDES)).format(**fresh()))
    for _ in range(g.any((0, 0, 2, 6)) if wide else 0):
        scatter(hunk, g.any(PROSE if area == "docs" else CONTEXT).format(**fresh()))
    diff = wide and long and g.p(0.7)
    while sum(map(len, description + hunk)) < size:
        if diff and g.p(0.8):
            scatter(hunk, g.any(PROSE if area == "docs" else CONTEXT).format(**fresh()))
        else:
            scatter(description, g.vary(pick(ASIDES, MORE_ASIDES)).format(**fresh()))
    layout = g.shape(LAYOUTS if diff or g.p(0.75) else LAYOUTS_WITHOUT_DIFF)
    text = layout.format(
        title=g.any(prefix) + title, desc=" ".join(description), stat=stat, hunk="\n".join(hunk), who=slots["who"],
        num=g.int(12, 9800),
    )
    if wide and g.p(0.08):
        text = text.lower()
    return text, severity, area


def make(g, inline, long):
    text, severity, area = pull_request(g, long)
    label = '{"severity": "%s", "area": "%s"' % (severity, area)
    needs_human = severity in ("high", "critical") or area == "security"
    request = g.vary(g.shape(REQUESTS)) if g.p(0.5) else ""
    if inline:
        out = opening(NAME, g.any(["\n\n", "\n"]).join(x for x in (request, text) if x))
    else:
        doc = g.document_id()
        out = opening(NAME, user_message(request, [doc])) + parsed(g, Calls(g), doc, text)
    derived = f'{label}, "needs_human": {str(needs_human).lower()}}}'
    return {"segments": out + answer(label + "}"), "text": text, "request": request, "expected": {"json": derived}}
