"""document-summarization: the title, then the key sentences in their order, copied verbatim, one bullet each.

A key sentence states a decision, date, amount, cause, risk or responsible person; a greeting or side remark has no figure
and settles nothing. `unseen` draws on KINDS and SIDE_REMARKS alone.
"""
import textwrap

from pools import *
from render import Calls, answer, opening, parsed, user_message

NAME = "document-summarization"
KINDS = {
    "meeting": {
        "title": [
            "Meeting notes, {team} team, {day}", "Notes from the {team} team meeting on {day}", "Minutes of the {team} team",
            "{team} team weekly, held on {day} in {place2}", "Minutes, {team}, {day}", "What the {team} team discussed",
            "Protocol of the {team} meeting", "{team} team meeting in {place2}", "Meeting of the {team} group", "Notes: {team}",
        ],
        "facts": [
            [
                "<After a long discussion it|It> was decided to {decide}.", "Decision: {decide}.",
                "The <group|team> agreed to {decide}.", "Everyone was in favor, so <the team|we> will {decide}.",
                "There was consensus to {decide}.", "The team <wants|plans> to {decide}.", "We <voted|chose> to {decide}.",
                "The <main result|outcome> is to {decide}.", "The proposal to {decide} was <accepted|approved>.",
                "It is now settled that we {decide}.",
            ],
            [
                "{p1} will {todo} by {date}.", "Action item for {p1}: {todo} by {date}.",
                "Until {date}, {p1} is going to {todo}.", "{p1} took over the task to {todo}, due on {date}.",
                "It is up to {p1} to {todo} before {date}.", "{p1} has to {todo} until {date}.",
                "To do for {p1}: {todo}, deadline {date}.", "By {date} {p1} must {todo}.",
                "{p1} <promised|offered> to {todo} by {date}.", "The task to {todo} goes to {p1} and ends on {date}.",
            ],
            [
                "The budget is {money}.", "<For this a|A> budget of {money} was approved.", "Finance released {money}.",
                "The cost is <capped|limited> at {money}.", "A sum of {money} has been set aside.", "We may spend {money}.",
                "{money} is available for it.", "The plan costs {money}.", "An amount of {money} was granted.",
                "The expected cost is {money}.",
            ],
        ],
    },
    "incident": {
        "title": [
            "Incident report: {service}", "Postmortem for the {service} outage", "Incident summary, {service}",
            "Report on the problem with the {service}", "What happened to the {service}", "Outage of the {service}",
            "{service} incident", "Incident: {service} down", "Post-incident review, {service}", "The {service} failure",
        ],
        "facts": [
            [
                "On {date} at {t} the {service} went down.", "The {service} stopped answering at {t} on {date}.",
                "The first alert fired on {date} at {t}.", "Trouble began on {date}, {t}.", "It started on {date} at {t}.",
                "The {service} failed on {date} at {t}.", "At {t} on {date} the first errors appeared.",
                "Problems with the {service} were seen from {t} on {date}.", "The outage began at {t} on {date}.",
                "On {date}, {t}, users lost the {service}.",
            ],
            [
                "The outage lasted {mins}.", "Service was back after {mins}.", "It took {mins} until everything worked again.",
                "Total downtime was {mins}.", "Users had to wait {mins} for recovery.", "The {service} was down for {mins}.",
                "After {mins} the {service} was available again.", "Downtime: {mins}.", "The interruption took {mins}.",
                "It was fixed within {mins}.",
            ],
            [
                "The <root |>cause was a {cause}.", "A {cause} turned out to be the reason.", "Engineers traced it to a {cause}.",
                "It was caused by a {cause}.", "The trigger was a {cause}.", "The reason was a {cause}.",
                "We found a {cause}.", "Root cause: {cause}.", "A {cause} had led to the failure.",
                "Behind the outage was a {cause}.",
            ],
            [
                "{users} customers were affected.", "In total {users} customers could not work.",
                "Support counted {users} affected customers.", "The impact was felt by {users} customers.",
                "We received complaints from {users} customers.", "{users} users <saw errors|were locked out>.",
                "About {users} people noticed it.", "{users} requests failed.", "Affected customers: {users}.",
                "The failure hit {users} users.",
            ],
            [
                "{p1} {fix}.", "To solve it, {p1} {fix}.", "In the end {p1} {fix}.", "Then {p1} {fix} and closed the incident.",
                "{p1} finally {fix}.", "As a fix {p1} {fix}.", "{p1} from the {team} team {fix}.", "The on-call engineer {p1} {fix}.",
                "{p1} {fix}, which solved the problem.", "Recovery came when {p1} {fix}.",
            ],
        ],
    },
    "move": {
        "title": [
            "{comp} is moving", "Announcement to all staff of {comp}", "News from {comp}", "Information for everyone at {comp}",
            "Move of the {place} office", "{comp}: new office", "Office news", "Relocation notice", "A new home for {comp}",
            "Changes to our {place} site",
        ],
        "facts": [
            [
                "Our office in {place} moves to {place2} on {date}.", "On {date} we leave {place} and move to {place2}.",
                "The {place} office will relocate to {place2} on {date}.",
                "We are giving up {place} and will be in {place2} from {date}.",
                "From {place} to {place2}: the move takes place on {date}.", "{comp} moves from {place} to {place2} on {date}.",
                "On {date} the {place} site closes and {place2} opens.", "The new office in {place2} opens on {date}.",
                "Starting {date} we work in {place2} instead of {place}.", "We will be in {place2} as of {date}.",
            ],
            [
                "The new building has room for {users} people.", "There is space for {users} employees.",
                "{users} desks are ready for use.", "It offers {users} workplaces.", "We will have {users} seats there.",
                "The new site has {users} desks.", "{users} people can work there.", "It was built for {users} employees.",
                "The house holds {users} people.", "Room for {users} colleagues is available.",
            ],
            [
                "{p1} is in charge of the move.", "If you have questions, ask {p1}.", "Your contact is {p1}.",
                "{p1} coordinates everything.", "The project is led by {p1}.", "{p1} plans the move.",
                "{p1} answers all questions.", "Contact person: {p1}.", "The move is organized by {p1}.",
                "Please turn to {p1} with questions.",
            ],
        ],
    },
    "status": {
        "title": [
            "Project status: {prod}", "Status report for project {prod}", "{prod} weekly status", "Update on {prod}",
            "Where project {prod} stands", "{prod} progress report", "Project {prod}, status on {day}", "News on {prod}",
            "Status of {prod}", "{prod}: current state",
        ],
        "facts": [
            [
                "{pct} of the work is done.", "The project is {pct} complete.", "Progress stands at {pct}.",
                "We have reached {pct} of the plan.", "So far {pct} has been finished.", "{prod} is {pct} finished.",
                "About {pct} of all tasks are closed.", "The team has completed {pct}.", "Completion: {pct}.",
                "{pct} of the milestones are reached.",
            ],
            [
                "The release is planned for {date}.", "We expect to go live on {date}.", "Go-live date: {date}.",
                "The target is still {date}.", "Launch will be on {date}.", "We want to ship on {date}.",
                "{prod} goes live on {date}.", "The launch has been set to {date}.", "The deadline is {date}.",
                "Delivery is due on {date}.",
            ],
            [
                "The main risk is {risk}.", "We are worried about {risk}.", "Biggest risk: {risk}.",
                "Our greatest concern is {risk}.", "What could go wrong is {risk}.", "The project suffers from {risk}.",
                "{risk} could delay the launch.", "A risk remains: {risk}.", "We still see a risk in {risk}.",
                "The plan may fail because of {risk}.",
            ],
            [
                "Spending so far is {money}.", "We have spent {money}.", "Costs to date: {money}.",
                "{money} of the budget is used.", "The bill so far comes to {money}.", "{money} has been spent.",
                "The project has cost {money} so far.", "Up to now {money} was paid.", "Expenses add up to {money}.",
                "The budget used is {money}.",
            ],
        ],
    },
    "policy": {
        "title": [
            "New policy on {policy}", "Change of rules: {policy}", "Information about {policy}",
            "Please note the new rules on {policy}", "All staff: {policy}", "Policy update, {policy}", "Rules for {policy}",
            "{policy}: new rules", "Guideline on {policy}", "Revised rules for {policy}",
        ],
        "facts": [
            [
                "The new policy takes effect on {date}.", "It is valid from {date}.", "The rules start on {date}.",
                "Starting {date}, the new rules apply.", "From {date} on, the old rules are history.",
                "The change comes into force on {date}.", "On {date} the new policy on {policy} begins.",
                "The rules on {policy} change on {date}.", "Effective date: {date}.", "These rules are binding from {date}.",
            ],
            [
                "Requests must be approved by {p1}.", "{p1} has to approve every request.", "Approval is given by {p1}.",
                "You need the approval of {p1}.", "Nothing goes without a yes from {p1}.", "{p1} decides about all requests.",
                "Send requests to {p1}.", "All requests go through {p1}.", "{p1} signs the requests.",
                "Exceptions are only granted by {p1}.",
            ],
            [
                "The limit is {money} per year.", "Up to {money} a year is possible.", "Each person may use {money} per year.",
                "The yearly maximum is {money}.", "No more than {money} per year is paid.", "Everyone gets {money} a year.",
                "We pay at most {money} per person.", "The cap is {money}.", "Costs above {money} are not covered.",
                "The allowance is {money} per year.",
            ],
        ],
    },
    "hire": {
        "title": [
            "Welcome {p1}", "New colleague at {comp}", "{comp} staff news", "People news", "We are growing",
            "{p1} joins us", "New head of {team}", "Personnel announcement", "A new face in the {team} team", "Staff changes",
        ],
        "facts": [
            [
                "{p1} joins {comp} as head of {team}.", "{comp} has hired {p1} to lead the {team} team.",
                "The new head of {team} at {comp} is {p1}.", "{p1} becomes head of {team} at {comp}.",
                "At {comp}, {p1} takes over {team}.", "{p1} will lead the {team} team.", "{p1} is our new head of {team}.",
                "We have hired {p1} for the {team} team.", "{p1} will be responsible for {team}.",
                "The {team} team gets a new head, {p1}.",
            ],
            [
                "The first day is {date}.", "The start date is {date}.", "Work begins on {date}.", "We say hello on {date}.",
                "It all starts on {date}.", "{p3} starts on {date}.", "The contract begins on {date}.", "Start: {date}.",
                "From {date} {p3} will be with us.", "{p3} arrives on {date}.",
            ],
            [
                "The team has {n1} people.", "{n1} people report to the new head.", "There are {n1} people in the department.",
                "The department counts {n1} people.", "The group consists of {n1} people.", "The team is {n1} people strong.",
                "{n1} employees belong to the team.", "The new head leads {n1} people.", "Team size: {n1}.",
                "The department has grown to {n1} people.",
            ],
        ],
    },
    "event": {
        "title": [
            "Invitation to the {prod} workshop", "{comp} summer event", "Training on {prod}", "Customer day in {place}",
            "Workshop: {prod}", "{prod} conference", "Open day at {comp}", "Course on {policy}", "Meetup in {place}",
            "Seminar on {policy}",
        ],
        "facts": [
            [
                "The event takes place on {date} in {place}.", "We meet on {date} in {place}.", "It starts on {date} at {t}.",
                "The date is {date}.", "Join us in {place} on {date}.", "The workshop is on {date}.",
                "On {date} we invite you to {place}.", "When and where: {date}, {place}.", "The doors open on {date} at {t}.",
                "You are invited to {place} on {date}.",
            ],
            [
                "The fee is {money}.", "A ticket costs {money}.", "Taking part costs {money} per person.", "The price is {money}.",
                "Each company pays {money}.", "Participants pay {money}.", "Cost: {money}.", "You pay {money} at the door.",
                "Tickets are sold for {money}.", "The course costs {money}.",
            ],
            [
                "Please register with {p1} by {date2}.", "{p1} takes registrations until {date2}.",
                "Registration ends on {date2}.", "Sign up with {p1} before {date2}.", "Send your name to {p1} until {date2}.",
                "Only {n1} places are left.", "There are {n1} seats.", "The speaker is {p1}.", "{p1} gives the main talk.",
                "To register write to {p1} by {date2}.",
            ],
        ],
    },
    "contract": {
        "title": [
            "Contract with {comp}", "New supplier {comp}", "{comp} agreement", "Purchase of {item}", "Order placed with {comp}",
            "Deal with {comp}", "Supplier change", "Agreement on {item}", "Framework contract, {comp}", "{comp} delivers {item}",
        ],
        "facts": [
            [
                "{comp} will supply {item} from {date}.", "We signed a contract with {comp} on {date}.",
                "{comp} has won the tender for {item}.", "The contract with {comp} starts on {date}.",
                "From {date} we buy {item} from {comp}.", "Our new supplier of {item} is {comp}.",
                "On {date} {comp} and the {team} team signed the contract.", "{comp} takes over the supply of {item}.",
                "The agreement with {comp} was signed on {date}.", "{item} will come from {comp}.",
            ],
            [
                "The contract is worth {money}.", "The total value is {money}.", "We pay {money} per year.", "The price is {money}.",
                "It costs us {money}.", "The order amounts to {money}.", "Value: {money}.", "{comp} gets {money} for it.",
                "The yearly volume is {money}.", "The agreed price is {money}.",
            ],
            [
                "It runs for {n1} months.", "The term is {n1} months.", "The contract ends after {n1} months.",
                "{p1} signed for us.", "{p1} is responsible for the contract.", "The owner on our side is {p1}.",
                "The notice period is {n1} days.", "{p1} negotiated the terms.", "Our contact at {comp} is {p1}.",
                "It can be ended with {n1} days notice.",
            ],
        ],
    },
}
MORE_KINDS = {
    "study": {
        "title": [
            "<Study|Survey|Research note|Findings> on {policy}", "<Results|Findings> of the {x} <study|survey|trial>",
            "<What|How> {users} people think about {policy}", "{x} <trial|experiment>: <results|first findings>",
        ],
        "facts": [
            ["{users} people <took part|answered|were asked>.", "The <sample|panel|group> <had|counted> {users} <people|members>."],
            [
                "{pct} of <them|the participants|all answers> were <in favor|satisfied|against it|undecided>.",
                "The <share|rate|error> <rose|fell|dropped|climbed> to {pct}.", "<Only|Nearly|Exactly> {pct} <chose|prefer> {item}.",
            ],
            [
                "The <effect|delay|decline> <comes from|is explained by> a {cause}.",
                "The authors <blame|name> a {cause} as the cause.",
            ],
            [
                "The <study|trial|field work> <ended|was closed|began> on {date}.",
                "Data <was|were> <collected|gathered> until {date}.",
            ],
            ["{p1} <headed|directed|supervised> the <study|research>.", "The <study|trial> was <run|done> under {p1}."],
        ],
    },
    "market": {
        "title": [
            "Market <note|report|view>: {item}", "{comp}: <quarterly|yearly> <figures|results>", "<Prices|Demand> for {item}",
            "{place} market <news|letter>", "<Trading update|Investor note>, {comp}",
        ],
        "facts": [
            [
                "<Sales|Revenue|Turnover> <rose|fell|grew|shrank> <by|to> {pct}.",
                "The <price|demand> for {item} <fell|rose> by {pct}.",
            ],
            ["{comp} <earned|lost|invested|reported> {money}.", "The <profit|loss|turnover> <reached|was> {money}."],
            ["The <next|final> figures <are due|come out> on {date}.", "Trading <ends|resumes> on {date} at {t}."],
            ["Analysts <blame|see> {risk} <for the fall|as a danger>.", "<Margins are|Growth is> <threatened|held back> by {risk}."],
            ["<Buyers|Investors> <want|decided> to {decide}.", "The board <resolved|decided|intends> to {decide}."],
        ],
    },
    "inspection": {
        "title": [
            "<Inspection|Audit|Site visit> <report|record>: {place}", "<Audit|Inspection> of the {x} <plant|line|store>",
            "Safety <check|review> at {comp}", "<Findings|Record>: {place} <warehouse|depot>",
        ],
        "facts": [
            ["The <visit|check|audit> <was|took place> on {date}.", "<Inspectors|Auditors> <came|visited us> on {date} at {t}."],
            [
                "{n1} <defects|gaps|faults|findings> were <found|recorded|listed>.",
                "The <list|record> <has|names> {n1} <open points|defects>.",
            ],
            ["{p1} <must|shall|is obliged to> {todo}.", "{p1} was <told|ordered|asked> to {todo}."],
            ["<Repairs|Corrections> will cost {money}.", "A fine of {money} was <imposed|announced>."],
            ["The <fault|defect> <stems from|goes back to> a {cause}.", "A {cause} <explains|caused> the defect."],
        ],
    },
    "tender": {
        "title": [
            "<Tender|Call for offers>: {item}",
            "<Offer|Quotation|Proposal> <by|of> {comp}", "<Lease|License|Service> <deal|terms> with {comp}",
            "<Renewal|Extension> of the {item} <deal|lease>",
        ],
        "facts": [
            ["{comp} <offers|asks|demands> {money} for {item}.", "The <best|lowest> offer <is|was> {money}, made by {comp}."],
            ["<Offers|Bids> are <accepted|open|received> until {date}.", "The <lease|license> <expires|is renewed> on {date}."],
            ["<Delivery|Installation> takes {n1} <days|weeks>.", "The <warranty|guarantee> <covers|lasts> {n1} months."],
            ["{p1} <evaluates|compares|examines> the offers.", "{p1} <makes|takes> the final decision."],
            ["A discount of {pct} <applies|was agreed|is granted>.", "{pct} is <payable|due> in advance."],
        ],
    },
}
GENERAL = [  # facts for a document of any kind
    [
        "<After the break|In the end|As proposed>, <we|the board|managers|all sides> <decided|agreed|resolved> to {decide2}.",
        "<The board|Management|The committee|{comp2}> has <decided|ruled|ordered> to {decide2}.",
        "<It is|It was> <agreed|resolved|ruled> to {decide2}<| on {date3}| in {place3}>.",
        "<The decision|The resolution|Final decision>: {decide2}.",
    ],
    [
        "<The|This|Our> {x2} <costs|saves|needs|brings in|requires> {money2}<| per month| in total| in {place3}>.",
        "<We|They|The team|Managers|{comp2}> <saved|paid|requested|invested|received> {money2}<| for the {x2}| in {place3}>.",
        "<Savings|Income|Fees|Losses|Travel> <amount to|came to|reached|will reach> {money2}.",
    ],
    [
        "<The|Our|A|Every> {x2} <must be|will be|has to be|was> <ready|sent|finished|delivered|tested> <by|on|before> {date3}.",
        "<On|By|From|Until> {date3} the {x2} <is|will be> <closed|locked|under repair|on loan|in use>.",
        "The <next|final|second> <review|meeting|check|step> is on {date3}<| in {place3}| with {p5}>.",
    ],
    [
        "<The|Our> <share|rate|stock> of {x2}s <rose|fell|went up|dropped> <by|to> {pct2}.",
        "<We|They|Engineers|Clerks|The staff> <checked|counted|sold|ordered|returned|lost> {n2} {x2}s<| in {place3}| since {date3}>.",
        "{n2} of the {x2}s are <new|ready|missing|damaged|in use>.",
        "<About|Nearly|More than> {pct2} of the {x2}s <failed|passed|are open>.",
    ],
    [
        "{p5} <is in charge of|leads|heads|manages|owns|looks after> the {x2}<| from {date3}| in {place3}>.",
        "Responsible for the {x2}<| in {place3}>: {p5}.", "<Responsibility|The lead|Ownership> <lies|rests|stays> with {p5}.",
        "{p5} <must|has to|will|shall> <check|deliver|repair|sign|approve> the {x2}<| by {date3}| before {date3}>.",
    ],
    [
        "The <delay|damage|error|loss> <was due to|comes from|was caused by> a {cause2}.",
        "<Because of|Due to> a {cause2}<, the {x2} stopped| we lost the {x2}>.", "A {cause2} <stopped|damaged|delayed> the {x2}.",
    ],
]
SIDE_REMARKS = [
    "Coffee and cake were served in the kitchen.", "The slides are on the shared drive.", "Thanks to everyone who <helped|came>.",
    "More details will follow <soon|later>.", "The room was a bit too warm.", "Questions can be sent by e-mail.",
    "Parking is limited, so come early.", "The weather was fine.", "A photo was taken at the end.",
    "{p4} sat by the door.", "{p4} asked about the canteen.", "{p4} was on vacation.", "{p4} sends regards.",
    "The recording is on the intranet.", "Lunch was <good|late>.", "<We hope|Hopefully> you had a good week.",
    "The coffee machine is broken again.", "Please keep the kitchen clean.", "The plants need water.",
    "Some people joined by video.", "The sound was bad at first.", "Have a nice <day|weekend>.", "Thank you for reading.",
    "The printer is out of paper.", "There was some laughter.", "{p4} brought cookies.", "Best wishes to all.",
    "The elevator is being repaired.", "As always, feedback is welcome.", "We all know how busy these weeks are.",
    "The old {thing} will be missed by some.", "It was a sunny afternoon in {place2}.", "The window was open.",
    "Nobody was surprised.", "We will keep you posted.", "The discussion was friendly.", "The agenda was sent around before.",
    "The next newsletter comes soon.", "Please be patient.", "{p4} told a joke.", "The canteen offers soup today.",
    "Bring your own cup.", "The phone rang several times.", "Someone left an umbrella behind.", "Let us hope for the best.",
    "{p4} took notes on paper.", "The lights went off for a moment.", "Snacks are in the hall.", "The beamer had to warm up.",
    "It is always nice to see you all.",
]
MORE_REMARKS = [
    "<The|Our|That> <coffee|tea|soup|cake|bread|fruit> <was|tasted|seemed> <fine|lovely|cold|a bit dry|better than usual>.",
    "{p4} <smiled|laughed|yawned|nodded|arrived late|left early|felt tired|stayed to the end><| as usual| again| at the back>.",
    "{p4} <likes|talked about|mentioned|praised|misses> the <garden|view|music|old days|football|weather|sea>.",
    "{p4} <thanked|greeted|cheered up|entertained> <everyone|the guests|the whole group|us all>.",
    "<It|The day|The morning|The evening> was <windy|rainy|quiet|mild|grey|pleasant|rather long>.",
    "<The|A> <dog|bird|child|neighbor|radio|fan> <was heard outside|made some noise|made people smile>.",
    "<The|Those> <chairs|curtains|walls|windows|cups> <are|look|were> <nice|old|comfortable|clean|blue|a matter of taste>.",
    "<Many|Several|A few> <colleagues|guests|visitors|readers> <seemed happy|were in a good mood|enjoyed the break|stood in line>.",
    "<I|We> <hope|think|believe|trust> you <are well|enjoyed the holidays|had a pleasant trip|like the new look>.",
    "<Thanks|Thank you> <again |>for <your patience|the kind words|being here|all your messages>.",
    "<The {x3}|Our {x3}|A {x3}> <looked nice|stood in the corner|was a nice touch|is always fun to see|was talked about>.",
    "<Speaking of|As for> the {x3}, <opinions differ|it is a long story|people like it|that is for another time>.",
    "<Everybody|Nearly everyone|Hardly anybody> <knows|likes|remembers|noticed> the {x3}<| in {place4}>.",
    "{place4} <is|was> <lovely|cold|crowded|worth a visit> <at this time of year|as ever|these days>.",
    "<There|Here> is <little|nothing|not much> <more |>to <say|add|report> <about that|here|for now>.",
    "<Of course|By the way|On a lighter note|As an aside>, <the {x3} was fun|the music was loud|{p4} was in a good mood|tea helps>.",
    "<Such|Long> <days|texts|meetings> <make one hungry|are tiring|need patience>.",
    "<Some|A few> <pictures|stories|old letters> of the {x3} <were passed around|hang in the hall|made us smile>.",
]
HEADINGS = ["Background", "Details", "Overview", "Other", "Remarks", "Summary of events", "Next", "From the floor", "General"]
GREETINGS = [
    "Dear colleagues,", "Hi all,", "Hello everyone,", "Dear all,", "Hi team,", "Good morning,", "Dear team,", "Hello,",
    "To whom it may concern,", "Dear friends,",
]
CLOSINGS = [
    "Best regards\n{p4}", "Thanks\n{p4}", "{p4}", "Kind regards, {p4}", "Cheers\n{p4}", "Yours\n{p4}", "Regards, {p4}",
    "Many thanks\n{p4}", "Have a good day\n{p4}", "Greetings, {p4}",
]
REQUESTS = [
    "Summarize.", "Please summarize this document.", "<Write|Give me|I need> a <short |brief |>summary.", "TL;DR please.",
    "What is the gist?", "Summarize in two sentences.", "Sum this up.", "What are the key facts?",
    "<Please give|Give> me a <short|brief> summary of <this text|the document|the following text>.", "Summary, please.",
    "What does this document say?", "Condense this for a busy reader.", "Shorten this text.", "What happened?",
    "<Can|Could> you summarize <this|the attached document|the memo>?", "Key points, please.", "Summarize the attached file.",
    "Tell me <briefly|in short> what this <document|memo|text> says.", "I have no time to read this.", "Main points only.",
]


def slots(g):
    thing = lambda: f"{g.term(ADJ)} {g.term(THING)}"
    decide = lambda: f"{g.term(DECIDE_VERB)} the {g.term(ADJ)} {g.term(PROJECT)}"
    cause = lambda: f"{g.term(ADJ_BAD)} {g.term(CAUSE_NOUN)}"
    p1, p5 = others(g.person, 2)
    place, place2, place3 = others(g.place, 3)
    date, date2, date3 = others(g.day, 3)
    money, money2 = others(g.money, 2)
    return dict(
        comp=g.company(), comp2=g.company(), p1=p1, p3=p1.split()[0], p5=p5, place=place, place2=place2, place3=place3,
        prod=g.syllables(), x=g.term(THING), x2=g.term(THING), team=g.term(TEAMS), service=g.term(SERVICES),
        policy=g.term(POLICY), item=g.value(ITEMS), cause=cause(), cause2=cause(), fix=f"{g.term(FIX_VERB)} the {thing()}",
        todo=f"{g.term(TODO_VERB)} the {thing()}", decide=decide(), decide2=decide(),
        risk=f"{g.term(ADJ_BAD)} {g.term(RISK)}", day=g.any(WEEKDAYS), date=date, date2=date2, date3=date3, t=g.clock(),
        mins=g.any([f"{g.int(4, 95)} minutes", f"{g.int(2, 9)} hours"]), money=money, money2=money2,
        pct=f"{g.int(11, 54)}%", pct2=f"{g.int(55, 97)}%", users=g.r.choice((g.int(101, 999), g.int(2, 60) * 100)),
        n1=g.int(3, 40), n2=g.int(41, 99),
    )


def others(draw, count):
    """`count` different draws."""
    drawn = []
    while len(drawn) < count:
        if (x := draw()) not in drawn:
            drawn.append(x)
    return drawn


def capital(text):
    return text[0].upper() + text[1:]


def key_templates(g, draw, groups):
    """3 to 5 wordings of different facts, in any order."""
    own = [g.vary(draw(group)) for group in groups]
    general = [] if g.split == "unseen" else [g.vary(g.any(group)) for group in g.r.sample(GENERAL, g.int(0, 3))]
    own = g.r.sample(own, min(len(own), g.int(3, 5) if not general else g.int(2, 3)))
    templates = own + general[:5 - len(own)]
    g.r.shuffle(templates)
    return templates


def side_remark(g, values):
    text = g.vary(g.shape(SIDE_REMARKS) if g.split == "unseen" or g.p(0.3) else g.any(MORE_REMARKS))
    return capital(text.format(**values | dict(p4=g.person(), thing=g.value(THING), x3=g.term(THING), place4=g.place())))


def side_remarks(g, values, long):
    """A few remarks, or as many as fill a document of 900 to 1,900 tokens; none twice where the wordings suffice."""
    count, size = (999, g.int(1350, 2500)) if long else (g.any((0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 8)), 9999)
    remarks = []
    for _ in range(count):
        if sum(map(len, remarks)) > size:
            break
        remark = side_remark(g, values)
        if remark not in remarks or g.split == "unseen":
            remarks.append(remark)
    return remarks


def paragraphs_of(g, sentences, long):
    out, i = [], 0
    while i < len(sentences):
        size = g.int(1, 6) if long else g.r.choice((1, 1, 2, 2, 3))
        out.append(" ".join(sentences[i:i + size]))
        i += size
    return out


def with_headings(g, paragraphs):
    mark, count = g.any(["## ", ""]), min(len(paragraphs), g.int(1, 3))
    places = sorted(g.r.sample(range(len(paragraphs)), count), reverse=True)
    for place, heading in zip(places, g.r.sample(HEADINGS, count)):
        paragraphs.insert(place, mark + heading)
    return paragraphs


def document(g, long=False):
    """-> text, summary, facts."""
    kinds = KINDS if g.split == "unseen" else KINDS | MORE_KINDS
    name = g.any(list(kinds))
    values = slots(g)
    draw = g.shape if name in KINDS else g.any
    title = capital(g.vary(draw(kinds[name]["title"])).format(**values))
    templates = key_templates(g, draw, kinds[name]["facts"])
    key = [capital(t.format(**values)) for t in templates]
    used = [str(v) for k, v in values.items() if any("{%s}" % k in t for t in templates)]
    facts = [v if v in " ".join(key) else capital(v) for v in used]

    sentences = side_remarks(g, values, long)
    places = sorted(g.int(0, len(sentences)) for _ in key)
    for place, sentence in reversed(list(zip(places, key))):
        sentences.insert(place, sentence)
    layout = "plain" if g.split == "unseen" else g.any(["plain"] * 5 + ["list", "headings"])
    layout = "wrapped" if g.p(0.1) else layout
    if layout == "list":
        mark = g.any("-*•")
        paragraphs = ["\n".join(f"{mark} {s}" for s in sentences)]
    else:
        paragraphs = paragraphs_of(g, sentences, long)
    if layout == "headings":
        paragraphs = with_headings(g, paragraphs)
    if g.p(0.3):
        paragraphs.insert(0, g.shape(GREETINGS))
    if g.p(0.25):
        paragraphs.append(g.say(CLOSINGS, p4=g.person()))
    head = g.any([title] * 6 + ["# " + title, "Subject: " + title])
    if layout == "wrapped":
        text = head + "\n\n" + "\n".join(textwrap.wrap("\n".join(paragraphs), g.int(60, 100), break_on_hyphens=False))
    else:
        text = g.any(["\n\n", "\n\n", "\n"]).join([head, *paragraphs])
    return text, "\n- ".join([title, *key]), facts


def make(g, inline, long):
    text, summary, facts = document(g, long)
    request = g.vary(g.shape(REQUESTS)) if g.p(0.6) else ""
    if inline:
        order = [request, text] if g.p(0.7) else [text, request]
        out = opening(NAME, "\n\n".join(x for x in order if x))
    else:
        doc = g.document_id()
        out = opening(NAME, user_message(request, [doc])) + parsed(g, Calls(g), doc, text)
    return {"segments": out + answer(summary), "text": text, "request": request, "expected": {"facts": facts}}
