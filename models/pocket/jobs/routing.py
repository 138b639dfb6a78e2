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
        "We <are missing|never got> the invoice for {date}.", "Why did you charge a late fee?",
        "The bank details on your bill have changed, is that right?",
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
        "{prod} <is|has been> <down|offline|not reachable> since {date}.",
        "The <page|dashboard|report> <shows|displays> an error instead of data.",
        "<I|We> cannot <print|export|upload|save> <anything|files|data> <in|from> {prod}.",
        "The connection to {prod} <drops|breaks> every {n} minutes.",
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
        "This is urgent!", "I need somebody on the phone right now.", "Drop everything else, please.", "We are losing money every minute.",
        "Please act immediately.", "This is an emergency.", "URGENT", "We need help now, not later.",
        "We need help within the hour.", "ASAP please, our customers are affected.", "Help, we have only minutes left!",
        "Most urgent, please call at once.", "It must be fixed right now.", "Critical: we need you right now.",
        "Please help us immediately.", "<Very urgent|Extremely urgent>!", "Please help <now|right away>, it is an emergency.",
        "Every minute <counts|matters> now.", "We need an answer within minutes.", "This cannot wait a minute.",
        "Top emergency, call <me|us> now.", "We lose customers every minute.", "Act now, please!",
        "<It is|This is> an emergency for <us|our company>.", "Urgent help needed!", "Alarm! We need you at once.",
        "Solve this immediately, it is a catastrophe.", "We need somebody right now.", "Emergency!", "This must be solved within the hour.",
    ],
}
# Wordings for train and held alone, on top of those above.
MORE_QUEUES = {
    "billing": [
        "<The|Your|Our latest> <invoice|bill|statement> {inv} <is|looks|seems> <wrong|too high|incorrect|not right><| to me>.",
        "<I|We> <paid|transferred|sent> {amt} <too much|twice|by mistake><| on {date}>.",
        "<I|We> <see|found|noticed> <a|an unknown|a second|a strange> <charge|debit|payment|fee> of {amt}<| on {date}>.",
        "<Please|Could you|Can you> <send|e-mail|forward> <me|us> <the|a new|a corrected> <invoice|receipt|bill|credit note><| for {date}| for {prod}>.",
        "<Where is|I am waiting for|We expect> <my|our|the> <refund|credit|money><| of {amt}>.",
        "<Please|Could you> <refund|return|pay back|credit> <the|our|my> {amt}<| from {date}>.",
        "<The|Your> <tax number|number of seats|price per unit|due date> on <bill|invoice> {inv} <should be different|needs a correction|is not right>.",
        "<My|Our> <credit card|debit card|bank> <was declined|refused the payment|shows two charges><| on {date}>.",
        "<How|Where> can <I|we> <pay|settle> <the|my|our> <bill|open amount|invoice {inv}>?",
        "<Why|For what> <did you charge|was I billed|do we pay> {amt}<| on {date}| for {prod}>?",
        "<Please put|Put|We need> <our|the> <purchase order|VAT id|cost centre> {inv} on <the|every> <invoice|bill>.",
        "<The|A> reminder <says|claims> that <we|I> owe {amt}, but <it is|that was|all is> paid.",
        "<Our|My> <payment|billing> <method|data|address> <has changed|must be updated><| from {date}>.",
        "<You|Your company> <collected|took|withdrew> the <fee|amount|money> <again|a second time|although we had paid>.",
        "<I|We> <dispute|do not accept|question> <invoice|bill|the charge on> {inv}.",
    ],
    "technical": [
        "{prod} <gives|shows|displays> <me|us> <an error|error {code}|a warning|code {code}><| when I click save| after login| at start>.",
        "<The|Your> <app|website|software|server|portal> <crashes|freezes|hangs|stops><| all the time| every {n} minutes| since {date}>.",
        "<Uploading|Printing|Exporting|Searching|Saving> <in|with|from> {prod} <fails|is broken|ends with {code}|no longer works>.",
        "<I|We> <get|receive|run into> <a|the> <timeout|bug|glitch|exception|fault><| {code}> in {prod}.",
        "<The|Our> <sync|import|export|upload|download|integration|report> <fails|is stuck|has failed|never finishes><| since {date}| at {n} percent| with {code}>.",
        "{prod} <is|got|became> <unusable|very slow|unstable><| since {date}| after the update| on my laptop>.",
        "<Half of|Some of|All> <our|my> <files|data|entries|pictures> <are gone|are missing|cannot be opened> <in|from> {prod}.",
        "<The|A> <new version|last update|latest patch> <broke|damaged|has broken> <{prod}|the export|our setup>.",
        "<Why|How come> does {prod} <crash|fail|stop|log {code}><| every time| on my tablet>?",
        "<How|Can you tell us how to|Please help us to> <fix|solve|get rid of> <error|code|the message> {code}?",
        "<The|Your> <API|webhook|endpoint|connector> <gives|sends> <wrong|empty|garbled> data.",
        "{prod} <cannot|does not|will not> <open|start|connect|install|update><| any longer| on our computers| since {date}>.",
        "<Nothing happens|I see an empty window|The screen flickers> when <I|we> <open|start|use> {prod}.",
        "<My|Our> <phone|tablet|browser|laptop> <shows|has> <problems|an error> with {prod}.",
    ],
    "sales": [
        "<Please send|Send|Could you send|Can you mail> <me|us> <a|your> <quote|offer|quotation|price list><| for {n} <users|seats|licenses>| for {prod}>.",
        "<What|How much> <would|do> {n} <users|seats|licenses> <of|for> {prod} cost?",
        "<I|We> <consider|plan|think about> <buying|ordering|getting> <{prod}|{n} licenses|the Pro plan|the Enterprise plan>.",
        "<Can|Could|May> <I|we> <see|get|book|have> a <demo|presentation|test version|trial><| of {prod}><| for our team>?",
        "<Which|What> <plan|edition|package|license> <fits|suits|is right for> {n} <people|users|employees>?",
        "<Do you have|Is there|Can we get> a <discount|better price|special price|rebate> for <{n} users|schools|a long contract|non-profits>?",
        "<I|We> <want|would like|intend> to <buy|purchase|license> <{n} seats|{prod}|more licenses|the Business plan>.",
        "<Please|Could somebody from sales> call <me|us> about <prices|an order|a purchase|buying {prod}>.",
        "{comp} <wants to buy|wants a quote for|would like to try> {prod}.",
        "<We are|I am> <a new customer|not a customer yet> and <want|would like> <an offer|to know your prices|to buy {prod}>.",
        "<What|Which functions> does the <Pro|Business|Enterprise|Premium> <plan|edition> <include|offer|contain>?",
        "<We|I> <compare|look at> <several|{n}> <products|vendors|tools> and <need|want> <your prices|a quote|an offer>.",
        "Is {prod} <available|on sale|cheaper> <in {place}|for resellers|for {n} users>?",
        "<We need|Please add|I would like to buy> {n} <more|additional|extra> <seats|licenses>, <what is the price|please make an offer>.",
    ],
    "account": [
        "<I|We> <cannot|can not|can no longer> <log in|sign in|get in><| as {mail}| since {date}>.",
        "<My|Our|The> <password|login|passcode> <is|was> <rejected|refused|lost|forgotten|not valid>.",
        "<Please|Could you|Can you> <reset|renew|send me> <my|the> <password|login|access code><| for {mail}>.",
        "<Please|Could you|Can you> <add|create|register> <{me}|{mail}|a new colleague> <as a user|as an administrator>.",
        "<Please|Could you> <remove|deactivate|block|unlock> the <user|login|profile><| of> <{me}|{mail}>.",
        "<How|Where> <can I|do I|can we> <change|edit|update> <my|our> <e-mail address|name|profile|password|user rights|phone number>?",
        "<I|We> <want|need|would like> to <change|correct> the <name|e-mail|address|owner> <of|in> <my|our> <account|profile><| to {mail}>.",
        "<The|My> <two-factor|security|login|confirmation> <code|mail|message> <does not arrive|never arrives|is not accepted|came too late>.",
        "<My|Our> <account|user|login> <is|was|got> <blocked|suspended|disabled><| since {date}>.",
        "{me} <should|must> <get|lose> the <admin|editor|owner> role in our account.",
        "<I|We> <need|request> <access|admin access|a new login> for <{mail}|{me}|a colleague>.",
        "<My|Our> <administrator|admin> <has left|is gone>, <please make {me} the owner|who can give us access>.",
        "<Who|Which users> <can log in|has admin rights|is registered> <in|for> our account?",
        "<Please|Could you> <rename|merge|move> <my|our> <account|accounts|workspace|user>.",
    ],
    "cancellation": [
        "<I|We> <want|wish|have decided> to <cancel|end|terminate|stop> <my|our|the> <subscription|contract|plan|membership><| for {prod}| on {date}>.",
        "<Please|Kindly> <cancel|end> <my|our> <plan|subscription|contract|membership><| {inv}| for {prod}><| by {date}| at the end of the term>.",
        "<I|We> <hereby|now> <cancel|terminate|give notice for> <the|our> <contract|subscription|agreement><| {inv}>.",
        "<How|Where> <can I|do we|can we> <cancel|terminate|end> <the|our|my> <subscription|contract|plan><| for {prod}>?",
        "<I|We> <will not|do not want to|are not going to> <renew|extend|continue> <{prod}|the subscription|our plan>.",
        "<What is|Tell us> <the|our> <last day|end date> of <the contract|our subscription> <if we leave|after this cancellation>?",
        "<We|I> <switch|change|move> to <a competitor|another product|other software>, <so please cancel|please end> <the|our> <contract|plan>.",
        "<Please confirm|Confirm|I need a confirmation of> <the|my|our> <cancellation|termination><| of {inv}| of {prod}>.",
        "<Please turn off|Turn off|Please prevent|Stop> the <automatic renewal|yearly renewal|extension><| of {prod}| of {inv}>.",
        "{comp} <cancels|ends|gives up> <{prod}|its subscription|its contract><| on {date}>.",
        "<My|Our> <contract|subscription|trial> <should|must|shall> <not be renewed|end on {date}|be cancelled>.",
        "<We|I> <no longer|do not> <use|need|want> {prod}, <cancel it|please cancel|end the contract>.",
        "<I|We> <want|would like> to <leave|quit|opt out> <before the next term|at the end of {date}|and end the contract>.",
    ],
    "other": [
        "<I|We> <like|enjoy|love> your <blog|newsletter|new logo|website|video><| very much>.",
        "<Where|In which street> is your <office|head office|shop> in {place}?",
        "<Do you have|Is there> <an open position|a job|an internship|a traineeship> in {place}?",
        "<I|We> <want|would like> to <interview|invite|meet> {me} <for a podcast|for our magazine|at our event in {place}>.",
        "<May|Could> <I|we> <print|show> a <photo|picture> <of your office|of {me}> in <our magazine|a school project>?",
        "<Thanks|Many thanks|Thank you> <to {me}|to your team> for the <nice|helpful|kind> <workshop|visit|words|talk><| in {place}>.",
        "<When|On which days> is your <office|shop|reception> open?",
        "<I|We> <lost|forgot|found> <a coat|a scarf|a pair of glasses|a pen> at your <stand|office|event><| in {place}>.",
        "<We are|Our club is|Our school is> looking for <a sponsor|speakers|partners> for <a run|a fair|a festival> in {place}.",
        "<I|We> <saw|met> {me} at <the fair|a conference> in {place}<, great talk|>.",
        "<Who|Which person> <is|was> the <founder|architect|speaker> <of {comp}|at the fair in {place}>?",
        "<Congratulations|Best wishes> <to the team|on your anniversary>!",
        "<I am|We are> <a student|students|a teacher|a reporter> and <have|would like to ask> <some|a few> questions about <the history of|the people at> {comp}.",
        "<Please|Could you> <subscribe me to|send me> your <magazine|newsletter|annual report>.",
    ],
}
MORE_PRIORITIES = {
    "low": [
        "<This|It|My question|The matter> is <not|by no means|not at all> <urgent|critical|time-critical|a priority>.",
        "<There is|I am in|We are in|I have> no <hurry|rush|time pressure|deadline><| at all| here| with this>.",
        "<No|Really no|Absolutely no> <rush|hurry|pressure|stress><| at all| from my side| here>.",
        "<Please answer|Answer|Reply|Look at it|Get back to me> <whenever|when|once> <you have time|it suits you|you get around to it|you have a quiet day>.",
        "<Next week|Next month|Some time next month|Later this year|Any day> is <fine|okay|early enough|soon enough><| for me| for us>.",
        "<I|We> <can wait|do not mind waiting|are patient><| a few weeks| until next month| for your reply>.",
        "<It is|This is> <only|just> <a|out of> <curiosity|idle interest|detail|side question|small wish>.",
        "<Just|Only> <out of interest|a minor question|a little question|asking|curious>.",
        "<Please do not|No need to|You do not need to> <hurry|rush|answer right away|treat this as urgent|drop anything for this>.",
        "<Low|Lowest> <urgency|priority>, <please|thanks|take it slow>.",
        "<It is|That is> <a|only a|just a> <minor|trivial|tiny> <matter|issue|point|detail>.",
        "<We|I> do not need <an answer|a solution|it> <soon|today|this week|quickly|before next month>.",
        "<If you find|Should you have> <a moment|some time> <one day|some day>, <have a look|let me know>.",
    ],
    "normal": [
        "<Normal|Regular|Standard|Usual> priority.", "<Please handle|Handle> <this|it> <as usual|in the usual way|in the normal order>.",
        "<Your|The> <normal|usual|regular> <response|answer> time is <fine|okay>.", "Priority: normal",
        "This is a <normal|regular|routine> request.",
    ],
    "high": [
        "<We|I> <need|want|expect> <an answer|a reply|a solution|this done> <today|by tonight|by tomorrow|tomorrow|by the end of the day|this week|by Friday>.",
        "<Please|Kindly> <answer|reply|respond|solve this|take care of it> <today|by tomorrow|before tomorrow evening|by the end of the day|this week|quickly>.",
        "<This|It> is <very|quite|highly|extremely|really> important<| for us| for me| for our company>.",
        "<This|The matter> has <high|a high|top> priority<| here| for our team>.",
        "<I|We> <asked|wrote|called|contacted you> <twice|two times|three times|{n} times><| already| about this> <and got no answer|without any reply|before>.",
        "<I|We> <have waited|have heard nothing> <for {n} days|since last week|longer than promised><| now>.",
        "<My|Our> <team|staff|department|office> <is stuck|sits idle|has to wait> <because of this|until this is solved|without your answer>.",
        "<The|Our> <deadline|presentation|audit|board meeting> is <tomorrow|this week|on Friday|in two days>.",
        "<I am|We are> <very|really|extremely|more and more> <unhappy|disappointed|annoyed|frustrated|angry><| about this| with your service>.",
        "<High|Higher> <priority|importance><|, please|: please handle it soon>.",
        "<This|It> <blocks|delays|holds up|stops> <our|my> <project|work|release|planning>.",
        "<My|Our> <boss|manager|director> <asks every day|is getting impatient|wants an answer today|insists on a quick answer>.",
        "<Still|To this day> no <answer|reply|solution> <from you|after {n} days|after my last mail>.",
        "<Please|We ask you to> <give this priority|move this up the list|treat it with preference|hurry up a bit>.",
        "This is my <second|third|fourth|fifth> <mail|message|request|reminder> about this.",
    ],
    "urgent": [
        "<This|It|The matter> is <very |extremely |really ||>urgent<|!|, please help|, call me now>.",
        "<URGENT|Urgent|VERY URGENT|Emergency|CRITICAL>: <please read this first|call me|we need you now|react now|do this at once>!",
        "<We|I> <need|must have> <help|an answer|a solution|somebody> <now|right now|immediately|at once|this minute|in the next minutes|within {n} minutes|in one hour>.",
        "<Call|Contact|Ring> <me|us> <back |><immediately|at once|right now|this very minute|asap>!",
        "<React|Do something> <at once|right away|this instant>.",
        "<It is|This is> <an absolute|a real|a total> <emergency|catastrophe|disaster><|!>.",
        "<We|Our company> <lose|loses|is losing> <money|orders|customers|revenue> <every second|by the minute|right now|with every minute>.",
        "<There is|We have> <not a|no> <minute|second> to lose.",
        "<Immediate|Instant> <action|reaction> <is required|expected>!",
        "<Every|Each> <minute|second> <of delay|that passes> <costs us money|hurts us|makes it worse>.",
        "Most urgent, <please drop everything|stop all else|do it now>.",
    ],
}
OUTAGES = [  # urgent words about a technical matter
    "Our production is down.", "All our {n} users are affected right now.", "Everything has stopped.", "Someone has broken into our system.",
    "<Our whole company|Everything|The whole plant> is at a standstill.", "Critical: all sites are down.",
    "All <sites|systems|offices|servers|shops> are <down|offline> right now.", "<Production|Our shop|The factory> has stopped completely.",
    "<Nobody|None of our {n} people> can work at the moment, <everything is|all systems are> down.", "We are under attack right now.",
]
MORE_SUBJECTS = {
    "low": ["small question", "no rush", "just curious", "minor point"], "normal": ["request", "message", "mail from {me}", "your help"],
    "high": ["important", "second reminder", "answer needed today", "high priority"],
    "urgent": ["URGENT", "emergency", "urgent: call now", "answer needed right now"],
}
MORE_ASIDES = [
    "<I|We> <live|work|are based> in {place}.",
    "<My|Our> <colleague|manager|assistant> {me} <also reads this mailbox|set things up|knows the details>.",
    "<We|I> <started|began> with {prod} on {date}.", "<Our|The> office in {place} has {n} <people|desks|computers>.",
    "<I|We> <read|found> your address <on the website|in the manual|in an old mail>.",
    "<Sorry|Excuse me> for <my English|the long mail|writing so much>.",
    "I was on holiday <in {place}|last week|until {date}>.", "<We|I> use it <on a laptop|at work|with {n} colleagues|every morning>.",
    "<You can call|Call> me under {n} {n} {n}<| in the morning| after lunch>.", "<I|We> <spoke|talked> with {me}<| on {date}| at the fair>.",
    "{comp} <is a small firm|makes furniture|runs {n} shops|has an office> in {place}.",
    "<It is|This is> about <the office|our branch|the team> in {place}.",
    "<I attach|Attached is|You find attached> <a picture|a screenshot|the file>.", "<Our reference|Reference|Ticket|Our sign>: {inv}.",
    "<I write|I am writing> <for|on behalf of> {comp}.", "<As you know|As I said>, <we are|{comp} is> in {place}.",
    "We met <in|near> {place} <on|around> {date}.",
]
HERRINGS = [  # another queue's or another priority's words, said of what is settled
    "<The|Our> <last|previous> <invoice|bill> was <fine|correct>, by the way.",
    "<We|I> <pay|paid> by <card|bank transfer> <as always|without problems>.",
    "<The|My> login <works|worked> <fine|well>.", "<The|My> password <is not the problem|was changed on {date} and works>.",
    "<We|I> bought {n} licenses on {date} and <are|am> happy with them.",
    "<Our|The> contract runs until {date} and <will go on|stays as it is>.",
    "<Otherwise|Apart from that>, {prod} <works well|runs without errors>.", "The error of {date} <is solved|did not come back>.",
    "<Last time|On {date}> you <answered|helped> within the hour, thank you.",
    "<Last year|On {date}> we had an <urgent|important> case, <it was solved|you solved it>.",
    "<The|Your> demo <on|of> {date} was <helpful|good>.", "<The|Your> newsletter is nice, by the way.",
]
QUOTES = ["On {date}, {me} wrote:", "--- Original message ---\nFrom: {mail}", "-----\n{me} ({mail}):", "Previous message from {me}:",
"{me} <{mail}> wrote on {date}:"]
REPLIES = [
    "<Thank you|Thanks> for your <message|mail|patience>.", "What can we <help you with|do for you>?", "How can we <help|be of use>?",
    "<We have|I have> received your <mail|message>.",
    "<Your ticket|The ticket> {inv} <is closed|was closed|is solved>.",
    "<Could you|Please> <describe|explain> <it|the matter> <in more detail|once more>?",
    "<Please|Could you> <send|tell> us <the details|some more information|your customer number>.", "Your case was <passed on|handed> to {me}.",
]
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
LONG = 1600, 3400  # characters


def typos(g, text):
    letters = list(text)
    for _ in range(g.int(1, 4)):
        i = g.r.randrange(len(letters) - 1)
        if letters[i].isalpha() and letters[i + 1].isalpha():
            letters[i : i + 2] = g.any([letters[i + 1] + letters[i], letters[i] * 2 + letters[i + 1], letters[i]])
    return "".join(letters)


def message(g, long=False):
    queue, priority = g.any(list(QUEUES)), g.any(PRIORITY_SHARE)
    wide = g.split != "unseen"
    slots = lambda: dict(
        inv=g.document_number(), amt=f"{g.any(['€', '$', '£', 'EUR '])}{g.int(5, 2400)}{g.any(['', '.50', '.90', ',00'])}",
        date=g.day(), n=g.int(2, 400), prod=g.product(), comp=g.company(), place=g.place(), mail=g.mail(), me=g.person(),
        code=g.any([str(g.int(400, 599)), f"E{g.digits(4)}", f"0x{g.hex(4)}"]),
    )
    fill = lambda template: g.vary(template).format(**slots())
    say = lambda templates, more=(): fill(g.any(more) if more and wide and g.p(0.6) else g.shape(templates))

    matter = lambda: say(QUEUES[queue], MORE_QUEUES[queue])
    aside = lambda: fill(g.any(HERRINGS)) if wide and g.p(0.2) else say(ASIDES, MORE_ASIDES)
    scatter = lambda sentence: body.insert(g.r.randrange(len(body) + 1), sentence)
    body = [matter() for _ in range(g.any((1, 1, 2)))]
    if priority != "normal":
        more = MORE_PRIORITIES[priority] + (OUTAGES if (queue, priority) == ("technical", "urgent") else [])
        for _ in range(2 if wide and g.p(0.2) else 1):
            body.insert(g.any((0, len(body), len(body))), say(PRIORITIES[priority], more))
    elif wide and g.p(0.15):
        body.append(fill(g.any(MORE_PRIORITIES["normal"])))
    size = g.int(LONG[0], LONG[1]) if long else 0
    for _ in range(g.any((0, 0, 0, 1, 1, 2))):
        scatter(aside())
    while sum(map(len, body)) < (size * g.any((0.3, 1)) if wide else size):
        scatter(aside())
    text = g.any([" ", " ", "\n", "\n\n"]).join(body)
    if g.p(0.5):
        text = say(GREETINGS) + g.any([" ", "\n\n", "\n"]) + text
    if g.p(0.5):
        text += g.any([" ", "\n\n", "\n"]) + say(CLOSINGS)
    while wide and (g.p(0.08) or len(text) < size):
        quoted = [fill(g.any(REPLIES)) for _ in range(g.int(1, 3))] if g.p(0.5) else [matter(), aside()]
        text += f"\n\n{fill(g.any(QUOTES))}\n" + "\n".join("> " + sentence for sentence in quoted)
    if g.p(0.2):
        subject = say(SUBJECTS[queue])
        if wide and g.p(0.3):
            subject = g.any(["{0}: {1}", "{1} - {0}", "[{0}] {1}"]).format(fill(g.any(MORE_SUBJECTS[priority])), subject)
        text = f"{g.any(['Subject', 'Subject', 'Re', 'Topic']) if wide else 'Subject'}: {subject}\n\n{text}"
    if g.p(0.15):
        text = text.lower()
    elif g.p(0.05) and not long:
        text = text.upper()
    elif g.p(0.08):
        text = text.replace(".", "").replace(",", "")
    if g.p(0.1):
        text = typos(g, text)
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
