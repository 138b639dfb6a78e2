"""customer-query-routing: a customer message -> queue and priority."""
from render import Calls, answer, opening, parsed, user_message

NAME = "customer-query-routing"
QUEUES = {
    "billing": [
        "<I was|We were> charged <twice|two times> for invoice {inv}.", "<My|Our> invoice {inv} shows the wrong <amount|total|sum>.",
        "Please refund the {amt} you <took|charged|collected> on {date}.", "Why is <my|our> bill higher <this month|than last month>?",
        "The payment for {inv} failed, can I pay again by card?", "<I need|Please send me> a copy of invoice {inv} for my tax return.",
        "There is a charge of {amt} on my credit card that I do not recognize.",
        "You <billed|invoiced> {n} seats but we only have a few.", "Can you change the billing address on invoice {inv}?",
        "The <VAT|tax> on our last invoice is <wrong|missing>.", "I paid {amt} on {date} but the invoice is still open.",
        "We have not received the refund of {amt} yet.", "Please send the receipt for our payment <on|of> {date}.",
        "Our bank returned the direct debit for {inv}.", "The discount is missing <from bill|on invoice> {inv}.",
        "I got a payment reminder although I <paid|have paid> already.", "Can I switch from card payment to invoice?",
        "How do I <update|change> my credit card for the monthly payment?",
        "Invoice {inv} is missing our purchase order number.", "You deducted {amt} too much from our bank account.",
        "Do you accept payment by bank transfer?", "The credit note for {inv} has not arrived.",
        "<I was|We were> overcharged by {amt}.", "Our accounting needs an itemized bill for {date}.",
        "I want my money back for the double payment.", "Where can I find my <invoices|bills|receipts>?",
        "The <amount|sum> of {amt} on the bill is not what we agreed.", "Invoice {inv} was <paid|settled> on {date}, please <check|correct> it.",
        "My <card|bank account> was debited {amt} without an invoice.", "Please <correct|cancel and reissue> invoice {inv}.",
        "You charged <my card|our account> {amt} <by mistake|in error>.", "When will <the|my> refund <arrive|be paid>?",
        "The invoice is addressed to the wrong company.", "Can we pay <quarterly|yearly> instead of monthly?",
        "Our <finance team|bookkeeper> has a question about bill {inv}.", "Is it possible to pay {inv} in two instalments?",
        "<Please explain|What is> the fee of {amt} on our statement<.|?>", "The payment terms on {inv} are wrong.",
        "I <received|got> the same bill two times.", "The invoice {inv} <lists|contains> items that we did not order.",
        "Could you send the bills to {mail} from now on?", "The direct debit of {date} was <too high|wrong>.",
        "We <are missing|never got> the invoice for {date}.", "Why did you charge a late fee?", "The bank details on your bill have changed, is that right?",
    ],
    "technical": [
        "{prod} crashes when I open it.", "<I get|We get|There is> error {code} when <I|we> upload a file.", "The {prod} page does not load.",
        "Sync has stopped working since {date}.", "The API returns {code} for every request.", "{prod} is very slow and times out.",
        "After the update {prod} shows a <blank|white|black> screen.", "Export to CSV <fails|stops> with an error message.",
        "The app freezes on the start screen.", "Our integration with {prod} is broken, the webhook does not fire.",
        "I see error code {code} in the log.", "Notifications from {prod} do not arrive.", "The search in {prod} returns no results.",
        "The installer fails at {n} percent.", "Images are not displayed in {prod}.", "We see a timeout when connecting to the server.",
        "The <button|menu|link> in {prod} does nothing.", "{prod} keeps <disconnecting|crashing|hanging>.",
        "There is a bug in the {prod} report, the numbers do not add up.", "The backup job failed with exit code {n}.",
        "The mobile app does not <start|open> on my phone.", "{prod} hangs after {n} seconds.", "The import stops with a stack trace.",
        "Our server cannot connect to {prod}, it says {code}.", "Since the last release the {prod} screen is broken.",
        "{prod} <is|has been> <down|offline|not reachable> since {date}.", "The <page|dashboard|report> <shows|displays> an error instead of data.",
        "<I|We> cannot <print|export|upload|save> <anything|files|data> <in|from> {prod}.", "The connection to {prod} <drops|breaks> every {n} minutes.",
        "{prod} does not <work|respond|react> any more.", "The <plugin|driver|add-on> for {prod} is not recognized.",
        "Files <disappear|get lost> after the sync.", "The calendar <shows|has> the wrong time zone after the update.",
        "<Saving|Uploading|Loading> takes {n} minutes <now|in {prod}>.", "{prod} <reports|throws> exception {code}.",
        "The sound <is missing|stutters> in {prod}.", "The web page looks broken in my browser.", "Data from {prod} <is|arrives> corrupted.",
        "We found a bug <in|when using> {prod}.", "The server <answers|replies> with code {code}.", "Our devices lose the connection to {prod}.",
        "The latest version of {prod} does not install.", "Scheduled jobs in {prod} do not run.", "Drag and drop stopped working.",
        "The app drains the battery and gets hot.",
    ],
    "sales": [
        "<We|I> would like a quote for {n} licenses.", "Can you give us a demo of {prod}?", "How much does {prod} cost for {n} users?",
        "Do you offer a discount for {n} seats?", "We are interested in <buying|purchasing> {prod}.",
        "Which plan would you recommend for a team of {n}?", "Is there a free trial of {prod}?", "Please send us your price list.",
        "We want to upgrade from Basic to Enterprise, what would it cost?", "I would like to talk to a sales person about {prod}.",
        "Do you have special prices for <schools|charities|startups>?", "We are comparing vendors and need an offer by {date}.",
        "Can we buy {n} more seats?", "What is the difference between the Pro and Enterprise plans?",
        "We plan to roll out {prod} at {comp} and need pricing.", "Could you send an offer for {n} users?",
        "Is {prod} included in the Pro plan or do we have to buy it?", "I am evaluating {prod} for purchase at {comp}.",
        "Do you sell through resellers in {place}?", "We would like to order {prod} for our office in {place}.",
        "What are your prices for a yearly plan?", "Please call me about a new contract for {n} users.",
        "Could we see a product demo next week?", "We are looking for an offer including {prod}.",
        "Can I get a quote for the Enterprise plan?", "<We|I> want to buy {prod}, <who can help|what is the next step>?",
        "Please <make|send> us an offer for {prod}.", "What <would|does> a license for {n} <people|employees> cost?",
        "Do you have a price for {n} seats of {prod}?", "<Our company|{comp}> is looking for a new <tool|solution|system>.",
        "Is a <volume|partner> discount possible when we order {n}?", "We are thinking about <switching|moving> to {prod}.",
        "Can somebody show us {prod} <in a call|on site>?", "Which features come with the <Pro|Premium|Business> plan?",
        "We need a proposal for {n} users by {date}.", "I would like to test {prod} before we buy.",
        "How <long|many days> is the trial of {prod}?", "Do you <offer|sell> {prod} in {place} as well?",
        "<Please contact|Contact> me about an order of {n} licenses.", "Are there any special offers at the moment?",
        "We want to extend our plan by {n} users, please quote.", "What would an upgrade to the Premium plan cost?",
        "Does the price of {prod} include training?", "I want to become a customer.", "We need pricing information for our management.",
    ],
    "account": [
        "<I|We> cannot log in, <my|the> password is not accepted.", "Please reset my password.", "I want to change my e-mail address to {mail}.",
        "How do I add {n} users to our account?", "My account is locked after too many attempts.",
        "I lost my phone and cannot pass the two-factor login.", "Please change the owner of the account to {me}.",
        "The verification e-mail for {mail} never came.", "How can I change my user name?", "Please give {mail} admin rights.",
        "I need to merge two accounts.", "Remove the user {mail} from our workspace.", "Where can I change my profile picture and name?",
        "My login link has expired.", "We need single sign-on for our accounts, how do I turn it on in the settings?",
        "The password reset mail does not arrive.", "I am locked out of my account.",
        "Please update our company name to {comp} in the profile.", "How do I change the permissions of a user?",
        "I forgot my user name and password.", "Can you unlock the login of {mail}?", "I cannot sign in with {mail} any more.",
        "Our administrator {me} left, who can get access to the account?", "I want to turn off two-factor authentication.",
        "Please invite {mail} to our account.", "<I|We> <have no|lost> access to <my|our> account.",
        "The login <page|form> says that my password is wrong.", "<Please delete|Delete> the user account of {me}.",
        "How do I <set|choose> a new password?", "{me} needs <access|a login|admin rights> <to our workspace|please>.",
        "The confirmation code for my login does not come.", "<Please change|Change> my user name to {mail}.",
        "My colleague {me} cannot sign in.", "We want to <give|remove> {mail} <access|rights>.", "I am asked for a code that I do not have.",
        "My user profile shows the wrong name.", "How can I <see|find out> who has access to our account?",
        "The account of {me} should be <blocked|deactivated>.", "I registered with the wrong e-mail address.",
        "Can two people share one login?", "Please transfer my account to {mail}.", "I would like to change my security question.",
        "Our users cannot log in with single sign-on.", "The activation link for my account is invalid.", "My password has expired.",
    ],
    "cancellation": [
        "<I|We> want to cancel <my|our> subscription.", "Please terminate our contract at the end of {date}.", "We will not renew {prod}.",
        "Cancel my plan, I no longer need it.", "I would like to close my account and stop the subscription.", "How do I cancel {prod}?",
        "Please confirm the cancellation of contract {inv}.", "We are moving to another provider and want to end the contract.",
        "I do not want the subscription to renew on {date}.", "Please stop my membership.",
        "I am cancelling because {prod} is too expensive.", "End my trial before it becomes a paid plan.",
        "We want to terminate contract {inv} with effect from {date}.", "Please cancel the renewal of {prod}.",
        "What is the notice period if I want to quit?", "I hereby give notice for contract {inv}.", "Cancel all {n} seats.",
        "We no longer use {prod}, please end the subscription.", "Please delete my subscription and do not renew it.",
        "I wish to unsubscribe from the paid plan.", "Our company is closing, so please end all contracts.", "I want out of my contract.",
        "Stop the automatic renewal, please.", "Please accept this as our cancellation of {prod}.", "We would like to terminate {prod}.",
        "<I|We> <hereby|would like to> cancel contract {inv}<.| as of {date}.>", "<Please end|End> <my|our> subscription <to|of> {prod}.",
        "<We|I> have decided to leave and <cancel|end> <the|our> contract.", "How can <I|we> get out of the contract early?",
        "Do not <renew|extend> our contract <please|after {date}>.", "This is <my|our> notice of termination for {inv}.",
        "We <quit|are quitting> {prod} at the end of the <month|year>.", "When does <my|our> subscription end if I cancel now?",
        "<I|We> do not need {prod} any longer and <want to|will> cancel.", "Please <stop|terminate> the service for {comp}.",
        "Our <subscription|membership> should end on {date}.", "I found a better tool, please cancel {prod}.",
        "Please confirm that the contract {inv} has ended.", "<I|We> want to cancel before the trial ends.",
        "We are going to discontinue {prod}, what is the notice period?", "Terminate the plan for {n} users.",
        "I never wanted to renew, please undo the extension.", "Please take back the renewal of {inv}.",
        "The subscription for {prod} can be stopped.", "Cancel everything that runs on the name {me}.",
    ],
    "other": [
        "I love the new design, well done!", "Do you have an office in {place}?",
        "I am a student and would like to write a thesis about {comp}.", "Are you hiring in {place}?",
        "Can I use your logo in my blog post?", "Your newsletter is great.",
        "We would like to invite you to speak at our conference in {place}.", "I am a journalist and have a question for your press team.",
        "Where can I find your opening hours?", "What is your postal address in {place}?", "Is there a community forum?",
        "Thanks to {me} for the friendly help.", "We organize a charity run, would you like to sponsor it?",
        "I would like to apply for a job.", "Do you have a podcast?", "I have a suggestion for your blog.",
        "Merry Christmas to the whole team!", "How do I get to your office in {place}?", "Who won the raffle at the fair in {place}?",
        "Please take me off the newsletter.", "Can we visit your office with our school class?", "I found a lost key at your booth in {place}.",
        "Are you open on {date}?", "Do you offer internships?", "My compliments to your team.",
        "<Thank you|Thanks> for the <nice|great|friendly> <talk|evening|visit> in {place}.", "Will you be at the <fair|conference> in {place}?",
        "I <am writing|write> an article about {comp}, may I ask some questions?", "Who designed your website?",
        "<I|We> would like to <visit|see> your office in {place}.", "Do you have a <job|position> for a <student|designer|trainee>?",
        "I left my <umbrella|bag|jacket> at your <office|event> in {place}.", "<Can|May> I quote your blog in my <book|paper>?",
        "How many people work at {comp}?", "Happy birthday to {me}!", "I have an idea for your next event.",
        "Where can I park near your office?", "Your <booth|talk> at the fair in {place} was great.", "Could you sponsor our sports club?",
        "Please send greetings to {me}.", "When was {comp} founded?", "I saw your advertisement in {place} and liked it.",
        "Our school would like a guided tour.", "I would like to receive your newsletter.", "Is your office closed on {date}?",
    ],
}
PRIORITIES = {
    "low": [
        "No rush.", "This is not urgent.", "Whenever you have time.", "Just wondering.", "It can wait.", "Take your time.",
        "There is no hurry.", "Only a small question.", "Answer when you find the time.", "Nothing pressing.", "Low priority.",
        "It is a minor thing.", "Just out of curiosity.", "Next month is fine too.", "Not important, but still.",
        "<It is|This is> not <important|pressing>.", "There is <plenty of|enough> time.", "An answer next week is <fine|enough>.",
        "You do not have to hurry.", "It has time.", "<No need|You need not> to rush.", "Any time is fine.", "I can wait for an answer.",
        "This has low priority.", "<Only a|Just a> small <thing|remark>.", "No hurry with this one.", "Not urgent at all.",
        "Please answer when it suits you.", "It does not matter when you answer.", "Take all the time you need.",
    ],
    "high": [
        "We need an answer today.", "This is important for us.", "This is the third time I write to you.",
        "My team cannot work because of this.", "Please handle this with priority.", "We have a deadline tomorrow.",
        "I have been waiting for {n} days.", "I am very unhappy with this.", "Please answer by tomorrow.",
        "I have written several times already.", "We need this solved this week.", "High priority please.", "This blocks our work.",
        "I expect an answer today.", "We have waited far too long.", "<This|It> is <really|very> important <to|for> us.",
        "<I|We> <wrote|called> {n} times already.", "Please reply <today|by tomorrow|this week>.", "Nobody has answered me for {n} days.",
        "We cannot continue our work.", "<I am|We are> disappointed and expect a quick solution.", "We have to finish this by tomorrow.",
        "This has high priority for us.", "The deadline is tomorrow.", "<I|We> <still wait|have been waiting> for an answer for weeks.",
        "Please treat this as important.", "My boss wants this solved this week.", "We depend on your answer this week.",
        "I am annoyed, this has taken {n} days.", "Our work is blocked.",
    ],
    "urgent": [
        "This is urgent!", "Our production is down.", "All our {n} users are affected right now.", "We are losing money every minute.",
        "Please act immediately.", "This is an emergency.", "URGENT", "Everything has stopped, we need help now.",
        "We need help within the hour.", "ASAP please, our customers are affected.", "Someone has broken into our system.",
        "Our whole company is at a standstill.", "It must be fixed right now.", "Critical: all sites are down.",
        "Please help us immediately.", "<Very urgent|Extremely urgent>!", "Please help <now|right away>, it is an emergency.",
        "<Everything|The whole company> is at a standstill.", "We need an answer within minutes.", "This cannot wait a minute.",
        "All <sites|systems|offices> are down right now.", "We lose customers every minute.", "Act now, please!",
        "<It is|This is> an emergency for <us|our company>.", "Urgent help needed!", "Production has stopped completely.",
        "Please fix it immediately, everything is down.", "We need somebody right now.", "Emergency!", "This must be solved within the hour.",
    ],
}
SUBJECTS = {
    "billing": ["invoice {inv}", "payment", "refund", "wrong charge", "bill", "double payment", "receipt needed"],
    "technical": ["error in {prod}", "{prod} not working", "bug", "crash", "error {code}", "{prod} is slow", "problem with {prod}"],
    "sales": ["quote", "pricing", "offer for {n} users", "demo", "interested in {prod}", "price list", "new order"],
    "account": ["login", "password", "user rights", "access", "my account", "cannot sign in", "new user"],
    "cancellation": ["cancellation", "end of contract", "cancel", "termination", "no renewal", "ending {prod}", "notice"],
    "other": ["question", "hello", "feedback", "thanks", "idea", "your office", "press"],
}
ASIDES = [
    "We have been a customer for {n} years.", "I am writing from {place}.", "Our company is {comp}.", "My name is {me}.",
    "I tried it on two devices.", "A colleague told me to write to you.", "You can reach me at {mail}.", "We use {prod} every day.",
    "I already looked at your help pages.", "Our customer number is {inv}.", "I hope you are well.", "I work at {comp}.",
    "{me} is in copy.", "We talked on the phone on {date}.", "I could not find anything in the manual.",
    "My colleague {me} has the same question.", "We are {n} people here.", "I hope this is the right address.",
    "Please answer to {mail}.", "I am new at {comp}.",
]
GREETINGS = [
    "Hi,", "Hello,", "Dear team,", "Good morning,", "Hi there,", "Hello support,", "Dear Sir or Madam,", "Good day,", "Hey,",
    "To whom it may concern,", "Dear {comp},", "Hello all,", "Good evening,", "Hi team,", "Greetings,",
]
CLOSINGS = [
    "Thanks, {me}", "Best regards\n{me}", "Thank you!", "Regards, {me}", "Kind regards, {me}, {comp}", "Cheers", "Many thanks",
    "Best, {me}", "Sincerely, {me}", "{me}", "Yours, {me}", "Thank you in advance.", "{me}, {comp}", "Looking forward to your answer.",
    "Have a nice day.",
]
REQUESTS = [
    "Route this message.", "Which queue?", "Please classify.", "Customer message:", "New ticket:", "Incoming e-mail:",
    "Route the <attached |>message.", "Customer writes:", "Sort this <message|ticket|mail>.", "Who should get this?",
    "Where does this <message|ticket> go?", "Please route this.", "Queue and priority, please.", "A new message from a customer.",
    "<Classify|Assign> this <ticket|message|e-mail>.", "Decide who handles this.", "Message from the contact form:",
    "Support request:", "Please assign this ticket.", "Find the right team for this.",
]
PRIORITY_SHARE = ("low", "normal", "normal", "high", "urgent")


def swap_letters(g, text):
    letters = list(text)
    for _ in range(2):
        i = g.r.randrange(len(letters) - 1)
        if letters[i].isalpha() and letters[i + 1].isalpha():
            letters[i], letters[i + 1] = letters[i + 1], letters[i]
    return "".join(letters)


def message(g, long=False):
    queue, priority = g.any(list(QUEUES)), g.any(PRIORITY_SHARE)
    slots = lambda: dict(
        inv=g.document_number(), amt=f"{g.any(['€', '$', '£', 'EUR '])}{g.int(5, 2400)}{g.any(['', '.50', '.90', ',00'])}",
        date=g.day(), n=g.int(2, 400), prod=g.product(), comp=g.company(), place=g.place(), mail=g.mail(), me=g.person(),
        code=g.any([str(g.int(400, 599)), f"E{g.digits(4)}", f"0x{g.hex(4)}"]),
    )
    say = lambda templates: g.say(templates, **slots())
    body = [say(QUEUES[queue])]
    if g.p(0.4):
        body.append(say(QUEUES[queue]))
    if priority != "normal":
        body.insert(len(body) if g.p(0.7) else 0, say(PRIORITIES[priority]))
    for _ in range(g.int(15, 70) if long else g.any((0, 0, 0, 1, 1, 2))):
        body.insert(g.r.randrange(len(body) + 1), say(ASIDES))
    text = g.any([" ", " ", "\n", "\n\n"]).join(body)
    if g.p(0.5):
        text = say(GREETINGS) + g.any([" ", "\n\n", "\n"]) + text
    if g.p(0.5):
        text += g.any([" ", "\n\n", "\n"]) + say(CLOSINGS)
    if g.p(0.2):
        text = f"Subject: {say(SUBJECTS[queue])}\n\n{text}"
    if g.p(0.1):
        text = text.lower()
    elif g.p(0.05):
        text = text.upper()
    elif g.p(0.08):
        text = text.replace(".", "").replace(",", "")
    if g.p(0.08):
        text = swap_letters(g, text)
    return text, '{"queue": "%s", "priority": "%s"}' % (queue, priority)


def make(g, inline, long):
    text, label = message(g, long)
    request = g.vary(g.shape(REQUESTS)) if g.p(0.5) else ""
    if inline:
        out = opening(NAME, g.any(["\n\n", "\n", " "]).join(x for x in (request, text) if x))
    else:
        doc = g.document_id()
        out = opening(NAME, user_message(request, [doc])) + parsed(g, Calls(g), doc, text)
    return {"segments": out + answer(label), "text": text, "request": request, "expected": {"json": label}}
