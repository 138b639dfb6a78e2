"""data-extraction: an invoice, a receipt, an order or an e-mail -> vendor, document_number, date, currency, total.

Training sees two families: `form` and `email` draw whole wordings, of which unseen gets its own; `sheet` and `letter`
put documents together from parts and are for train and held only. They avoid every label kept for unseen.
"""
from pools import ADJ, ITEMS, MONTHS, STREETS, SUFFIX, TRADE
from render import Calls, answer, dumps, opening, parsed, user_message

NAME = "data-extraction"
CURRENCY = {
    "EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF", "SEK": "SEK", "PLN": "PLN", "CAD": "CAD", "INR": "₹", "JPY": "¥",
}
DATE_STYLES = [
    lambda y, m, d: f"{y:04d}-{m:02d}-{d:02d}", lambda y, m, d: f"{d} {MONTHS[m - 1]} {y}",
    lambda y, m, d: f"{MONTHS[m - 1]} {d}, {y}", lambda y, m, d: f"{d:02d}.{m:02d}.{y}",
    lambda y, m, d: f"{d:02d}-{MONTHS[m - 1][:3]}-{y}", lambda y, m, d: f"{MONTHS[m - 1][:3]} {d}, {y}",
    lambda y, m, d: f"{y}/{m:02d}/{d:02d}", lambda y, m, d: f"{d} {MONTHS[m - 1][:3]} {y}",
    lambda y, m, d: f"{d}. {MONTHS[m - 1]} {y}",
]
AMOUNT_STYLES = [
    lambda c: f"{c // 100:,}.{c % 100:02d}", lambda c: f"{c // 100}.{c % 100:02d}",
    lambda c: f"{c // 100:,}".replace(",", ".") + f",{c % 100:02d}", lambda c: f"{c // 100},{c % 100:02d}",
    lambda c: f"{c // 100:,}".replace(",", " ") + f",{c % 100:02d}",
]
VENDOR_LABEL = [
    "Vendor", "Supplier", "Seller", "From", "Vendor name", "Sold by", "Issued by", "Supplier name", "Merchant",
    "Invoicing party", "Store", "Company", "Payee", "Remit to", "Provider", "Shop", "Billed by", "Seller name", "Biller",
    "Supplied by", "Vendor / Supplier", "Issuer", "Contractor", "Merchant name", "Invoice from", "VENDOR", "SUPPLIER",
    "Pay to", "Our company", "Sender",
]
NUMBER_LABEL = [
    "{K} no.", "{K} number", "{K} #", "{K} No", "Reference number", "No.", "Number", "{K} ID", "Document number",
    "{K} ref.",
    "Document no.", "{K}-Nr.", "ID", "Doc. no.", "{K} code", "{K} Number", "Doc #", "Nr.", "{K} reference",
    "Number of {K}",
    "Document ID", "{K} nr", "No", "Our number", "{K}", "DOCUMENT NO.", "{K} NO.", "Doc number", "Voucher no.",
    "Serial no.",
]
DATE_LABEL = [
    "Date", "{K} date", "Date of issue", "Issued", "Issued on", "Document date", "Dated", "Billing date", "Date issued",
    "{K} issued", "DATE", "Issue date", "{K} Date", "Created", "Created on", "Doc. date", "Date of {K}", "Written on",
    "Date of document", "Day of issue",
]
BUYER_LABEL = [
    "Bill to", "Customer", "Ship to", "Buyer", "Billed to", "Sold to", "Client", "Deliver to", "Recipient", "Invoice to",
    "Customer name", "Purchaser", "Delivered to", "Account of", "For",
]
OTHER_DATE = ["Due date", "Due", "Delivery date", "Payable until", "Ship by", "Payment due", "Delivered on", "Valid until"]
OTHER_NUMBER = [
    "Customer no.", "Customer ID", "Your reference", "Order ref", "VAT ID", "Account", "Cost center", "Contract",
    "Tax no.", "Project", "Delivery note", "Till",
]
CONTACT = ["Contact", "Cashier", "Clerk", "Attn", "Processed by", "Served by", "Sales rep"]
CURRENCY_LABEL = ["Currency", "Currency code", "All amounts in", "Amounts in", "Billing currency"]
TOTAL_LABEL = [
    "Total", "Total due", "Amount due", "Grand total", "TOTAL", "Total amount", "Balance due", "Invoice total", "To pay",
    "Sum total", "Total payable", "Amount payable", "Total incl. tax", "Total to pay", "Final amount", "Amount to pay",
    "TOTAL DUE", "Total incl. VAT", "Please pay", "Total sum", "Gross total", "AMOUNT DUE", "Payable", "Gross amount",
    "Total price", "Due amount", "You pay", "Total cost", "Order total", "Overall total",
]
TITLES = {
    "invoice": ["INVOICE", "Invoice", "Tax invoice", "INVOICE / BILL", "Rechnung / Invoice", "Commercial invoice",
    "BILL"],
    "receipt": ["RECEIPT", "Receipt", "Cash receipt", "Sales receipt", "PAYMENT RECEIPT", "Till receipt", "SALE"],
    "purchase order": ["PURCHASE ORDER", "Purchase order", "PO", "Order", "PURCHASE ORDER FORM", "Supply order", "ORDER"],
}
ITEM_STYLES = [
    "{i}. {it}  {q} x {u}  {s}", "- {q} x {it} @ {u}", "{it} | {q} | {u} | {s}", "{q}x {it} {s}",
    "{i}) {it}: {q} at {u} each", "{it}, qty {q}, {u}", "* {it} ({q}) {s}", "{i} {it} {q} {u} {s}", "{it} .... {s}",
    "{q} pcs {it}, {s}", "{it} {s}", "{q} {it} {u} {s}", "{it}; {q}; {s}", "{i}. {it}, {s}", "- {it}: {s}",
]
ITEM_HEAD = [
    "Items", "Description  Qty  Price", "Positions:", "Pos. Article Amount", "Item | Qty | Price", "Details", "Goods",
    "Description Qty Unit Amount", "Articles",
]
SUBTOTAL = ["Subtotal", "Net", "Net amount", "Sum", "Sub-total", "Total excl. tax", "Net total"]
TAX = ["VAT {rate}%", "Tax ({rate}%)", "MwSt {rate} %", "Sales tax", "VAT", "Tax {rate}%"]
FOOTER = [
    "Thank you for your business!", "Payment within {days} days.", "IBAN DE{iban}",
    "Please pay within {days} days to IBAN {iban}.", "Goods remain our property until paid.", "Thanks for your visit",
    "Place of jurisdiction: {place}", "Terms: net {days}", "Questions? Call +49 {iban}",
    "Returns within {days} days with this slip.", "We are glad to have you as a customer.", "Bank transfer only.",
    "Registered in {place}", "Late payments are charged with interest.", "Have a nice day!",
]
TERMS = [
    "<The general terms|Our terms> and conditions apply <to all deliveries|to every order>.",
    "The goods stay the property of the seller until <they are paid in full|the last payment has arrived>.",
    "Complaints must be sent in writing within {days} days <of delivery|after the delivery>.",
    "<Packaging|The packaging> is taken back <free of charge|on request> at our warehouse in {place}.",
    "For late payments we charge interest <of {days} percent|at the legal rate>.",
    "<Deliveries|Shipments> leave our warehouse <on the next working day|within {days} days>.",
    "The place of jurisdiction is {place}.", "Data is stored for accounting only and deleted after {days} years.",
    "Prices are <valid for {days} days|subject to change>.", "Partial deliveries are allowed.",
]
EMAIL_TOP = [
    "Hi {you},", "Dear {you},", "Hello {you},", "Dear customer,", "Good morning,", "Subject: Your {doc}\n\nHi {you},",
    "From: {me}\nSubject: {doc} for {buyer}\n\nHello,", "Dear Sir or Madam,", "Hi all,",
    "To: {you}\nSubject: new {doc}\n\nGood day {you},", "Hello,", "Dear {you} and team,", "Hi {you}, hi team,",
    "Subject: {doc}\nTo: {you}\n\nHello {you},", "Greetings {you},",
]
EMAILS = [
    "<please find|you will find> attached {doc} {num} <dated|of> {date} over {total}.",
    "here is our {doc} no. {num} <from|of> {date}. The total is {total}.",
    "we <have issued|issued> {doc} {num} on {date}. Please <transfer|pay|send> {total} by {due}.",
    "this is a reminder that {doc} {num} of {date} <for|over> {total} is still <open|unpaid>. It was due on {due}.",
    "the amount of {total} on {doc} {num} ({date}) is payable by {due}.",
    "thank you for your order of {item}. Your {doc} {num} of {date} comes to {total} for {n} items.",
    "your {doc} is <ready|done>. Number: {num}. Date: {date}. Amount: {total}.",
    "attached you will find the {doc} for {item}. It <covers|lists> {n} line items and comes to {total}. Our number is "
    "{num}, issued on {date}.",
    "on {date} we charged {total} for {item} and {item2}. The {doc} number is {num}.",
    "I am sending you {doc} {num} again. It was issued on {date} with {n} items and a total of {total}.",
    "for {item} we bill you {total}. Please quote {num} when you pay.",
    "we received your payment of {total} on {date}. Thank you!",
    "enclosed is the {doc} {num} dated {date}. The amount will follow in a separate message.",
    "we would like to order {item} and {item2} under {doc} {num}, dated {date}, with a limit of {total}.",
    "regarding {doc} {num}: issue date {date}, {n} positions, gross amount {total}. Payment is expected by {due}.",
    "your {doc} of {date} is attached. You owe us {total} for {item}.",
    "{doc} {num} was <created|written|issued> on {date}. The {n} positions <add up|come> to {total}, net {sub}.",
    "as agreed we billed {item} on {date}. Our {doc} carries the number {num} and asks for {total}.",
    "the {doc} dated {date} (no. {num}) has {n} lines. Please pay {total} within {days} days.",
    "could you settle {doc} {num}? It is from {date} and the sum of {total} has been open since {due}.",
    "{doc} number {num}, date {date}, total {total}. <That is all for this month.|More will follow.>",
    "with {doc} {num} of {date} we <charge|bill> you {total} for {item}.",
    "the total of {doc} {num} is {total}. It <was issued|is dated> {date}.",
    "we <booked|registered> {doc} {num} ({date}) with an amount of {total}.",
    "our {doc} {num} from {date} amounts to {total}. Payment is due by {due}.",
    "you can pay {doc} {num} until {due}. It was issued on {date} and comes to {total}.",
    "I <attach|enclose> the {doc} from {date}. Its number is {num} and the total amount is {total}.",
    "for your records: {doc} {num}, {date}, {total}.",
    "<our|the> system <created|issued> {doc} {num} on {date} for {total}, <payable|to be paid> by {due}.",
    "{total} <is|are> due for {doc} {num}, which we sent on {date}.",
]
EMAIL_NOISE = [
    "Please pay within {days} days.", "Your customer reference is {ref}.",
    "If you have already paid, please ignore this message.", "The next delivery is planned for {due}.",
    "Please mention order {ref} in your answer.", "If anything is unclear, just call us.",
    "The goods were delivered to {buyer}.", "We are happy to answer your questions.", "Your contact is {you}.",
    "Have a look at our new {item2}.", "We wish you a good week.", "A copy went to {buyer}.",
    "Our bank details are unchanged.",
    "The order reference was {ref}.", "We hope you like the {item}.",
]
EMAIL_END = [
    "Kind regards\n{me}\n{vendor}", "Best,\n{me}, {vendor}", "Regards\n{vendor}", "Many thanks\n{me}\n{vendor}",
    "Best wishes\n{me}", "{vendor}\nAccounting", "Sincerely,\n{me}\n\n{vendor}", "Yours,\n{vendor} billing team",
    "Thanks!\n{me}\n{vendor}", "Cheers,\n{me} from {vendor}", "Best regards,\n{vendor}",
    "With kind regards\n{me}\n{vendor}",
    "{me}\n{vendor}", "Regards,\n{me}, {vendor}", "Thank you\n{vendor}\n{place}",
]
REQUESTS = [
    "Extract the fields.", "Please extract the data from this document.",
    "Extract vendor, number, date, currency and total.",
    "Process this <document|file|invoice|receipt>.", "Return the record.", "What are the key fields here?",
    "<Please read|Read> this <document|invoice|receipt> and <return|give me> the record.", "Get the invoice data.",
    "New <document|invoice|receipt> for accounting.",
    "<Extract|Pull out|Get> the <fields|data|record> <as JSON|please|for booking>.",
    "Data extraction, please.", "Who is the vendor and how much do we pay?", "Please book this one.",
    "<Turn|Convert> this document into a record.", "Read the attached document.", "Extract the invoice.",
    "<I need|We need> the data <of this document|from this paper>.", "Capture this <invoice|receipt|order>.",
    "<Please process|Handle> the attachment.", "Fill in the record <for this document|please>.",
]
# ------------------------------------------------------------ parts for train and held
SPOKEN = {
    "EUR": ["euros", "euro", "Euro"], "USD": ["US dollars", "US$", "dollars"], "GBP": ["pounds", "pounds sterling"],
    "CHF": ["Swiss francs", "francs"], "SEK": ["Swedish kronor", "kronor"], "PLN": ["zloty", "zł"],
    "CAD": ["Canadian dollars", "C$"], "INR": ["Indian rupees", "rupees"], "JPY": ["Japanese yen", "yen"],
}
MORE_DATE_STYLES = [
    lambda y, m, d: f"{y}.{m:02d}.{d:02d}", lambda y, m, d: f"{d}.{m}.{y}", lambda y, m, d: f"{MONTHS[m - 1][:3]}. {d}, {y}",
    lambda y, m, d: f"{d:02d} {MONTHS[m - 1][:3].upper()} {y}", lambda y, m, d: f"{d:02d}/{MONTHS[m - 1][:3]}/{y}",
    lambda y, m, d: f"day {d} of {MONTHS[m - 1]} {y}", lambda y, m, d: f"{y} {MONTHS[m - 1]} {d:02d}",
]
MORE_AMOUNT_STYLES = [
    lambda c: f"{c // 100:,}".replace(",", "'") + f".{c % 100:02d}",
    lambda c: f"{c // 100:,}".replace(",", " ") + f".{c % 100:02d}",
]
MORE_VENDOR = [
    "Name of <the |><supplier|seller|shop|merchant|store|issuer>", "<Selling|Issuing|Supplying> <company|firm|business>",
    "<Bought|Purchased|Ordered> <from|at>",
    "<Dealer|Retailer|Wholesaler|Manufacturer|Trader|Workshop|Firm|Outlet|Creditor>",
    "<Business|Company|Trade|Shop|Firm> name",
    "<Account holder|Legal entity|Beneficiary|Trading as|Your supplier|Your shop>",
]
MORE_NUMBER = [
    "<Doc|Document|Bill|File|Paper|Record|Slip|{K}> <num|num.|no|#|nbr|key>", "{K} <doc|document> <no.|number|#>",
    "<Our|The> {K} <number|no.>", "<File|Slip|Bill|Sheet> <number|no.>", "<Running|Registration> no.",
    "<N°|Num.|Nº|#>", "{K} <N°|Nº|num>",
]
MORE_DATE = [
    "<Bill|Booking|Sale|Purchase|Printing|Posting|Paper|Slip|Record> date",
    "<Printed|Drawn up|Made out|Prepared|Signed> on",
    "Date of <sale|purchase|billing|the document|the {K}|writing|printing>", "<Our|This> date",
    "{K} <dated|made on|drawn up>",
    "Date (<document|{K}>)",
]
MORE_BUYER = [
    "<Customer|Client|Buyer|Receiver|Consignee|Addressee|Debtor|End user>", "<Delivery|Shipping|Mailing> <address|name>",
    "<Bought|Received|Requested|Paid> by", "Name of <the |><client|customer|buyer>", "<Charged|Shipped|Addressed> to",
]
MORE_OTHER_DATE = [
    "<Delivery|Payment|Expiry|Arrival|Loading|Return> <day|deadline|date>", "<Due|Expected|Arrives> <on|by>",
    "<Start|End> of <service|rental|warranty>", "Pay <by|before|not later than>", "<Order|Quote> <placed|accepted> on",
    "Discount until", "Warranty <to|until>",
]
MORE_OTHER_NUMBER = [
    "<Customer|Client|Account|Member|Parcel|Tracking|Contract|Quote> <number|no.|code>", "<Phone|Fax|Mobile>",
    "<Tax|Bank|Register|Licence> <number|no.>", "Your <order|file|number|sign>", "<Shipment|Terminal|Table|Lane|Batch>",
]
MORE_CONTACT = ["<Your |Our |><clerk|agent|contact person|manager>", "<Signed|Checked|Packed|Approved> by"]
MORE_TOTAL = [
    "<Total|Amount|Sum> <owed|outstanding|now due|to be paid|to settle|to transfer|charged|billed>",
    "<Bill|Receipt|Document> <total|amount|sum>", "<Total|Amount> <with|including> <tax|VAT>",
    "<Altogether|All in all|In total|Together|To be paid|To transfer|You owe|Due now|Now due|Payment due now>",
    "<Amount|Sum> we <ask for|charge|bill>", "Total for this {K}",
]
MORE_SUBTOTAL = ["<Goods|Items|Lines|Articles|Value> <total|sum|before tax|value>", "<Amount|Sum|Total> <before|without> <tax|VAT>"]
MORE_TAX = ["<Incl.|Plus|Of which|thereof> <VAT|tax>", "<VAT|Tax|GST|IVA|TVA> <at |of |>{rate}<%| %| percent>", "<GST|IVA|TVA>"]
CHARGE = ["Shipping", "Delivery", "Freight", "Postage", "Packing", "Handling", "Service charge", "Insurance", "Fuel surcharge"]
DISCOUNT = ["Discount", "Rebate", "Your saving", "Loyalty discount", "Voucher", "Less discount", "Coupon"]
SETTLED = [
    "Paid", "Deposit", "Cash", "Cash given", "Card", "Change", "Previous balance", "Old balance", "Last month",
    "Credit limit", "Instalment", "Points value", "Tip suggestion", "Average per item",
]
RULES = ["", "", "", "-" * 20, "=" * 16, "* * *", "_" * 12, "~~~~~~", "#####"]
CELL = [" | ", "\t", "   ", " / ", "  ·  ", "; ", " || ", "     "]
PAIR = [
    "{l}: {v}", "{l} {v}", "{l}\n{v}", "{l}:\n{v}", "{l}\n  {v}", "{l}\t{v}", "{l} | {v}", "| {l} | {v} |",
    "{l} ..... {v}",
    "{l:.<24} {v}", "{l:<22} {v}", "{l:<16} {v}", "{l:>18}  {v}", "{l}: {v:>20}", "**{l}** {v}", "**{l}:** {v}",
    "* {l}: {v}",
    "• {l} {v}", "[{l}] {v}", "{l} ({v})", "{l} > {v}", "{l} -> {v}", "{l};{v}", "{l}, {v}", "_{l}_ {v}", "{v} ({l})",
    "{l} » {v}", "{l}::{v}", "({l}) {v}", "{l}/ {v}", "\"{l}\": \"{v}\"", "{l}:{v}",
]
HEADINGS = [
    "{t}", "*** {t} ***", "# {t}", "## {t}", "[{t}]", "{t}:", "--- {t} ---", "{t} (copy)", "{t} / original",
    "Page 1 of {n}",
    "{t}, page 1", "Your {t}", "~ {t} ~", "{t} for your records", "== {t} ==",
]
SECTIONS = [
    "<Document|General|Basic> <details|data|information>", "<About|Data of> this {t}", "Header", "Parties", "Overview",
    "<Amounts|Sums|Calculation|Payment|Summary>",
]
SLOTS = {
    "document_number": [
        "<Its|The> <number|no.> <is|reads> {num}.", "You <find|have> it under {num} in our <books|files>.",
        "<Use|Give|Write> {num} <as the reason for payment|on the transfer>.",
    "We <filed|keep> it as <number |no. |>{num}.",
        "This is <about|for> {doc} <no. |number |#|>{num}.", "<It|This message> <concerns|is about> {doc} {num}.",
        "The {doc} <with|has> the number {num}.", "<Look for|Search for> {doc} {num} in your portal.",
    ],
    "date": [
        "It <bears|carries> the date {date}.", "We <wrote|prepared|printed> <it|the {doc}> on {date}.",
        "<Its|The document's> date is {date}.", "The date <reads|says> {date}.",
    "{date} is the date <on it|of the {doc}>.",
        "The {doc} left our <office|desk|printer> on {date}.", "<Written|Made out|Drawn up> on {date}.",
    ],
    "total": [
        "<Altogether|In total|All in all> <that makes|this makes|you owe us|we ask for|it costs> {total}.",
        "The <sum|price|whole bill> <is|reaches|stands at> {total}.",
    "<Please|Kindly> <send|wire|transfer|remit> {total}.",
        "We <ask you for|would like to have> {total}.", "Your <part|bill> is {total}.", "What you <pay|owe>: {total}.",
        "{total} <has|have> to reach us.", "<With tax|Including everything> that is {total}.",
    ],
}
ASIDES = [
    "<The money|Your transfer> <should|must> arrive before {due}.", "<Of this|In this sum>, {small} is tax.",
    "<Last year|Last month|The time before> you paid {small}.", "<We delivered|You received> {item} on {due}.",
    "Your <customer|client|member> number <is|stays> {ref}.", "<The parcel|Your order> has the <code|number> {ref}.",
    "It <was for|contains|is about> {item} and {item2}.", "{buyer} <signed for it|got the goods|takes part as well>.",
    "<A reminder fee|A late fee> would be {small}.", "You have <a credit|a voucher> of {small} for next time.",
    "Our <offer|price list> is good until {due}.", "<Greetings|Regards> to {you} from all of us.",
]
HELLO = [
    "<Hi|Hello|Dear|Hey|Welcome> <{you}|{buyer}|team|colleagues|friends><,|!|:|>",
    "<Re|Subject|About>: <your {doc}|payment|{item}|our {doc}>", "To: {buyer}", "<Fwd|FW>: <{doc}|message from {me}>", "",
]
BYE = [
    "<Greetings|All the best|Warm regards|Bye|Yours truly|Take care|Until soon><,|>\n<{me}\n|>{vendor}",
    "<This message was sent|Sent> by {vendor}<.|, {place}|>", "{vendor}\n{street}<\n| >{place}",
    "<On behalf of|For> {vendor}<, {me}|\n{me}>", "<{me}, |>accounts at {vendor}", "The team of {vendor}<, {place}|>",
]
LATER = ["<Thanks|Bye|Warm regards|Until soon>, {me}", "({me})", "/ {me}"]
MORE_TERMS = [
    "<The buyer|The customer|Whoever orders> <checks|inspects|counts> the goods <at once|within {days} days|on arrival>.",
    "<Damage|A defect|A missing piece> must be <reported|shown|noted> <to the carrier|on the slip|by telephone>.",
    "Our <liability|guarantee> <ends|lapses> <after {days} months|when the goods are changed|with resale>.",
    "<Drawings|Samples|Offers> remain <ours|confidential|free of charge> <until an order follows|for {days} days>.",
    "<Returns|Exchanges> need <the original box|a written request|our consent><| and a copy of this sheet>.",
    "<Force majeure|A strike|Bad weather> <frees us from|extends> <all|the agreed> <terms|deadlines>.",
    "The law of <{place}|the seller's country> <governs|applies to> <this contract|all disputes>.",
    "<Should one rule be void|If a clause fails>, <the others stay|the rest stays> in force.",
    "A discount of {days} percent <needs|requires> <payment in advance|{days} orders a year>.",
]
ERRORS = ["date: does not match the pattern", "currency: does not match the pattern", "vendor: too short"]


def amounts(g):
    """How this document writes money and dates."""
    currency = g.any(list(CURRENCY)[:5] if g.p(0.8) else list(CURRENCY))
    symbol = CURRENCY[currency]
    how = g.any(["symbol", "before", "after", "line"] if symbol != currency else ["before", "after", "line"])
    amount, date = g.shape(AMOUNT_STYLES) if g.p(0.3) else g.any(AMOUNT_STYLES), g.any(DATE_STYLES)
    forms = {"symbol": symbol + "{}", "before": currency + " {}", "after": "{} " + currency, "line": "{}"}
    return currency, how, lambda cents: forms[how].format(amount(cents)), amount, lambda day: date(*day)


def items_of(g, count=None):
    out = []
    for _ in range(count or g.r.choice((1, 1, 2, 2, 3, 3, 4, 5, 6))):
        name = (g.value(ADJ) + " " if g.p(0.3) else "") + g.value(ITEMS)
        price = g.r.choice((g.int(150, 9999), g.int(1000, 99999), 500 * g.int(1, 90)))
        out.append((g.r.choice((1, 1, 1, 2, 3, 4, 5, 10, 12)), name, price))
    return out


def email(g, gold):
    currency, how, money, amount, date = amounts(g)
    if how == "line":
        money = lambda cents: f"{currency} {amount(cents)}"
    items = items_of(g)
    net = sum(q * u for q, _, u in items)
    total = net + net * g.any([0, 5, 7, 10, 19, 20]) // 100
    template = g.vary(g.shape(EMAIL_TOP) + "\n\n" + g.shape(EMAILS))
    for _ in range(g.any((0, 0, 1, 2))):
        template += "\n\n" + g.shape(EMAIL_NOISE)
    template += "\n\n" + g.shape(EMAIL_END)
    text = template.format(
        doc=g.any(["invoice", "bill", "receipt", "purchase order", "statement", "order"]), num=gold["document_number"],
        date=date(gold["date"]), total=money(total), vendor=gold["vendor"], buyer=g.company(), me=g.person(), you=g.first(),
        due=date(g.date()), item=g.value(ITEMS), item2=g.value(ITEMS), days=g.any([7, 10, 14, 30]), n=len(items),
        ref=g.document_number(), sub=money(net), place=g.place(),
    )
    gold.update(currency=currency, total=total)
    for slot, key in (("{num}", "document_number"), ("{date}", "date"), ("{total}", "total"), ("{vendor}", "vendor")):
        if slot not in template:
            gold[key] = None
    if gold["total"] is None:
        gold["currency"] = None
    return text


def form(g, gold, kind):
    currency, how, money, amount, date = amounts(g)
    missing = {key for key in gold if g.p(0.05)}
    items = [] if g.p(0.1) else items_of(g)
    noun = {"invoice": "Invoice", "receipt": "Receipt", "purchase order": g.any(["PO", "Order"])}[kind]
    sep = g.any([" - ", " = ", ": "] if g.split == "unseen" else [": ", ": ", ": ", " ", " : ", ":\t", ":  "])
    rate, shipping = g.any([0, 5, 7, 10, 19, 20, 21, 25]), g.any([0, 0, 490, 990, 1500])
    net = sum(q * u for q, _, u in items) or g.int(500, 90000)
    tax = net * rate // 100
    total = net + tax + shipping
    top, middle, end = [], [], []

    letterhead = kind != "purchase order" and g.p(0.45)
    if "vendor" not in missing and letterhead:
        top.append(gold["vendor"])
    elif "vendor" not in missing:
        middle.append(g.shape(VENDOR_LABEL) + sep + gold["vendor"])
    if "document_number" not in missing:
        middle.append(g.shape(NUMBER_LABEL).format(K=noun) + sep + gold["document_number"])
    if "date" not in missing:
        middle.append(g.shape(DATE_LABEL).format(K=noun) + sep + date(gold["date"]))
    if g.p(0.5):
        middle.append(g.shape(BUYER_LABEL) + sep + g.company())
    if g.p(0.3):
        middle.append(g.shape(OTHER_DATE) + sep + date(g.date()))
    if g.p(0.3):
        middle.append(g.shape(OTHER_NUMBER) + sep + g.document_number())
    if g.p(0.2):
        middle.append(g.shape(CONTACT) + sep + g.person())
    if how == "line" and "currency" not in missing:
        middle.append(g.any(CURRENCY_LABEL) + sep + currency)
    g.r.shuffle(middle)
    if g.p(0.2) and len(middle) > 2:  # two fields on one line
        i = g.r.randrange(len(middle) - 1)
        middle[i:i + 2] = [middle[i] + g.any(["   ", "  |  ", " | ", "\t"]) + middle[i + 1]]

    if g.p(0.9):
        top.insert(len(top) if g.p(0.6) else 0, g.shape(TITLES[kind]))
    if g.p(0.35):
        top.append(f"{g.int(1, 240)} {g.value(STREETS)}, {g.digits(5)} {g.place()}")
    bare = "currency" in missing or g.p(0.4)
    style = g.shape(ITEM_STYLES)
    show_item = amount if bare else money
    rows = [style.format(i=i + 1, q=q, it=it, u=show_item(u), s=show_item(q * u)) for i, (q, it, u) in enumerate(items)]
    if rows and g.p(0.6):
        rows.insert(0, g.shape(ITEM_HEAD))
    show = amount if "currency" in missing else money
    if items and g.p(0.6):
        end.append(g.shape(SUBTOTAL) + sep + show(net))
    if items and rate and g.p(0.7):
        end.append(g.shape(TAX).format(rate=rate) + sep + show(tax))
    if items and shipping and g.p(0.8):
        end.append(g.any(["Shipping", "Delivery", "Freight"]) + sep + show(shipping))
    if "total" not in missing:
        end.append(g.shape(TOTAL_LABEL) + sep + show(total))
    if g.p(0.12):
        end.append(g.any(["Paid", "Deposit"]) + sep + show(g.int(100, 9000)))
    if g.p(0.4):
        end.append(g.shape(FOOTER).format(days=g.any([7, 10, 14, 30]), iban=g.digits(12), place=g.place()))

    gold.update(currency=currency, total=total)
    for key in missing:
        gold[key] = None
    text = g.any(["\n", "\n\n", "\n---\n"]).join("\n".join(part) for part in (top, middle, rows, end) if part)
    if CURRENCY[currency] not in text and currency not in text:
        gold["currency"] = None
    return text


def company(g):
    """A name of one to five words, half of them with digits, signs or a legal form."""
    if g.p(0.4):
        return g.company()
    while True:
        word = lambda: g.any([g.word, g.word, g.word, lambda: g.value(TRADE), lambda: g.digits(g.int(1, 3)), g.place])()
        name = g.word() if g.p(0.8) else g.digits(g.int(1, 3)) + g.any(["", " ", "-"]) + g.word()
        for _ in range(g.r.choice((0, 0, 1, 1, 2, 3, 4))):
            name += g.any([" ", " ", " ", " ", "-", " & ", " + ", " of ", " and ", "'s ", "/"]) + word()
        if g.p(0.5):
            name += g.any([" ", " ", " ", ", "]) + g.any(SUFFIX)
        name = g.any([str, str, str, str, str.upper, str.lower])(name)
        if g.mine(name):
            return name


def number(g):
    """A document number of one to four groups."""
    if g.p(0.4):
        return g.document_number()
    letters = lambda: "".join(g.any("ABCDEFGHKLMNPRSTUVWXYZ") for _ in range(g.int(1, 4)))
    groups = [g.any([letters, lambda: g.digits(g.int(1, 4)), lambda: g.digits(g.int(2, 8))])() for _ in range(g.int(0, 3))]
    return g.any(["-", "/", ".", "_", "", "-"]).join(groups + [g.digits(g.int(2, 7))])


def currency_of(g):
    """-> code, a function that writes cents with the currency, one that writes them bare."""
    currency = g.any(list(CURRENCY))
    name = g.any([currency, currency, CURRENCY[currency], CURRENCY[currency], g.any(SPOKEN[currency])])
    form = g.any(["{n} {a}", "{a} {n}"] if len(name) > 3 else ["{n} {a}", "{a} {n}", "{n}{a}", "{a}{n}"])
    amount = g.any(AMOUNT_STYLES + MORE_AMOUNT_STYLES)
    return currency, name, lambda cents: form.format(n=name, a=amount(cents)), amount


def label(g, known, more, noun):
    """A label of `known` or one put together from `more`, in any case, but none that is kept for unseen."""
    key = lambda text: "".join(c for c in text.lower() if c.isalnum())
    kept = {key(text.format(K=noun, rate="")) for text in known[4::5]}
    while True:
        text = (g.shape(known) if g.p(0.4) else g.vary(g.any(more))).format(K=noun, rate=g.any([5, 7, 10, 19, 20]))
        text = g.any([str, str, str, str.upper, str.lower, str.title])(text)
        if key(text) and key(text).rstrip("0123456789") not in kept or text == "#":
            return text


def laid_out(g, pairs):
    """Labels and values in one layout: one per line, below each other, or as a table with the labels on top."""
    pairs = [(l.rstrip(":"), v) for l, v in pairs]
    if len(pairs) > 1 and g.p(0.2):
        cut, cell = g.int(1, min(4, len(pairs))), g.any(CELL)
        chunks = [pairs[i:i + cut] for i in range(0, len(pairs), cut)]
        return [cell.join(column) for chunk in chunks for column in zip(*chunk)]
    pair = g.any(PAIR)
    lines = [pair.format(l=l, v=v) for l, v in pairs]
    if g.p(0.15) and "\n" not in pair:
        lines = [g.any(CELL).join(lines[i:i + 2]) for i in range(0, len(lines), 2)]
    return lines


def sheet(g, gold, kind, count=None):
    """An invoice, a receipt or an order put together from parts."""
    currency, name, money, amount = currency_of(g)
    gold.update(currency=currency, total=0)
    for key in gold:
        if g.p(0.06):
            gold[key] = None
    noun = {"invoice": "Invoice", "receipt": "Receipt", "purchase order": g.any(["PO", "Order"])}[kind]
    tag = lambda known, more: label(g, known, more, noun)
    write, day = money if gold["currency"] and g.p(0.7) else amount, g.any(DATE_STYLES + MORE_DATE_STYLES)
    items = items_of(g, count) if count or g.p(0.85) else []
    net = sum(q * u for q, _, u in items) or g.int(500, 90000)
    tax, charge, off = net * g.any([0, 5, 7, 10, 19, 20, 25]) // 100, g.any([0, 0, 490, 1250]), g.any([0, 0, 0, net // 10])
    total = net + tax + charge - off
    if gold["total"] is not None:
        gold["total"] = total

    top = [g.any(HEADINGS).format(t=g.shape(TITLES[kind]), n=g.int(1, 4))] if g.p(0.85) else []
    facts, sums = [], []
    if gold["vendor"] and kind != "purchase order" and g.p(0.4):
        block = [gold["vendor"]] + [f"{g.int(1, 240)} {g.value(STREETS)}", f"{g.digits(5)} {g.place()}"][:g.int(0, 2)]
        top.insert(g.any([0, len(top)]), g.any(["\n", "\n", "\n", " | "]).join(block))
    elif gold["vendor"]:
        facts.append((tag(VENDOR_LABEL, MORE_VENDOR), gold["vendor"]))
    if gold["document_number"]:
        facts.append((tag(NUMBER_LABEL, MORE_NUMBER), gold["document_number"]))
    if gold["date"]:
        facts.append((tag(DATE_LABEL, MORE_DATE), day(*gold["date"])))
    for chance, known, more, value in (
        (0.6, BUYER_LABEL, MORE_BUYER, lambda: company(g)), (0.4, OTHER_DATE, MORE_OTHER_DATE, lambda: day(*g.date())),
        (0.2, OTHER_DATE, MORE_OTHER_DATE, lambda: day(*g.date())), (0.4, OTHER_NUMBER, MORE_OTHER_NUMBER, lambda: number(g)),
        (0.2, OTHER_NUMBER, MORE_OTHER_NUMBER, lambda: g.digits(g.int(4, 10))), (0.3, CONTACT, MORE_CONTACT, g.person),
    ):
        if g.p(chance):
            facts.append((tag(known, more), value()))
    g.r.shuffle(facts)
    if write is amount and gold["currency"]:
        facts.insert(g.int(0, len(facts)), (g.any(CURRENCY_LABEL), g.any([currency, name])))
    cut = g.any([0, len(facts), len(facts), g.int(0, len(facts))])

    show = write if g.p(0.5) else amount
    style, cell = g.shape(ITEM_STYLES), g.any(CELL)
    if g.p(0.3):
        style = cell.join(g.r.sample(["{it}", "{q}", "{u}", "{s}", "{i}"], g.int(2, 5)))
    rows = [style.format(i=i + 1, q=q, it=it, u=show(u), s=show(q * u)) for i, (q, it, u) in enumerate(items)]
    if rows and g.p(0.5):
        rows.insert(0, g.shape(ITEM_HEAD))
    if items and g.p(0.6):
        sums.append((tag(SUBTOTAL, MORE_SUBTOTAL), write(net)))
    for value, labels in ((charge, CHARGE), (-off, DISCOUNT)):
        if items and value:
            sums.append((g.any(labels), ("-" if value < 0 else "") + write(abs(value))))
    if tax and g.p(0.8):
        sums.append((tag(TAX, MORE_TAX), write(tax)))
    g.r.shuffle(sums)
    if gold["total"] is not None:
        sums.insert(len(sums) if g.p(0.8) else 0, (tag(TOTAL_LABEL, MORE_TOTAL), write(total)))
    for _ in range(g.any([0, 0, 0, 1, 2])):
        sums.append((g.any(SETTLED), write(g.int(100, 9000))))

    parts = [top, laid_out(g, facts[:cut]), rows, laid_out(g, sums), laid_out(g, facts[cut:])]
    if g.p(0.15):
        parts[1], parts[3] = parts[3], parts[1]
    if g.p(0.2):
        parts = [[g.say(SECTIONS, t=noun.lower())] + part if part and i in (1, 3) else part for i, part in enumerate(parts)]
    if g.p(0.4):
        parts.append([g.say(FOOTER, days=g.any([7, 10, 14, 30]), iban=g.digits(12), place=g.place())])
    if not sums and write is money and (not items or show is amount):
        gold["currency"] = None
    rule = g.any(RULES)
    return f"\n{rule}\n".join("\n".join(part) for part in parts if part)


def letter(g, gold):
    """A message put together from one sentence per field, in any order, with others between them."""
    currency, _, money, _ = currency_of(g)
    date, total = g.any(DATE_STYLES + MORE_DATE_STYLES), g.r.choice((g.int(500, 99999), g.int(1000, 2000000)))
    gold.update(currency=currency, total=total)
    for key in gold:
        if key != "currency" and g.p(0.1):
            gold[key] = None
    said = [g.any(SLOTS[key]) for key in SLOTS if gold[key] is not None]
    aside = g.r.sample(ASIDES, g.any([0, 1, 1, 2, 3]))
    if gold["total"] is None:
        gold["currency"], aside = None, [text for text in aside if "{small}" not in text]
    lines = said + aside
    g.r.shuffle(lines)
    body = g.any([" ", " ", "\n", "\n\n"]).join(lines)
    end = g.any(BYE if gold["vendor"] else LATER)
    if gold["vendor"] and g.p(0.2):
        body, end = f"{g.any(['', 'From: '])}{gold['vendor']}\n\n{body}", g.any(LATER)
    text = g.vary("\n\n".join(part for part in (g.any(HELLO), body, end) if part))
    return text.format(
        num=gold["document_number"], date=gold["date"] and date(*gold["date"]), total=money(total), vendor=gold["vendor"],
        doc=g.any(["invoice", "bill", "receipt", "purchase order", "statement", "order"]), due=date(*g.date()),
        small=money(g.int(100, 30000)), item=g.value(ITEMS), item2=g.value(ITEMS), ref=number(g), buyer=company(g),
        you=g.first(), me=g.person(), place=g.place(), street=g.value(STREETS),
    )


def document(g, long=False):
    """-> text and gold record (date as a tuple, total in cents)."""
    mixed = g.split != "unseen"
    vendor, num = (company(g), number(g)) if mixed and g.p(0.6) else (g.company(), g.document_number())
    gold = {"vendor": vendor, "document_number": num, "date": g.date(), "currency": None, "total": None}
    kind = g.any(["invoice", "invoice", "receipt", "purchase order", "email", "email"])
    if mixed and g.p(0.7):
        count = g.int(8, 14) if long and g.p(0.5) else None
        text = letter(g, gold) if kind == "email" else sheet(g, gold, kind, count)
    else:
        text = email(g, gold) if kind == "email" else form(g, gold, kind)

    def term():
        slots = {"days": g.any([7, 10, 14, 30]), "place": g.place()}
        return (g.vary(g.any(MORE_TERMS)) if mixed and g.p(0.6) else g.vary(g.shape(TERMS))).format(**slots)

    size, rounds = (g.int(1400, 2000), 99) if mixed else (float("inf"), g.int(2, 9) if long else 0)
    while long and rounds and len(text) < size:
        text += "\n\n" + " ".join(term() for _ in range(g.int(2, 5)))
        rounds -= 1
    if g.p(0.3):
        text = text.replace("\n\n", "\n")
    return text, gold


def record(gold):
    """The answer as JSON. The total is spelled as a float (1290.0, 6314.75), which survives any JSON library."""
    day, cents = gold["date"], gold["total"]
    date = day and "{:04d}-{:02d}-{:02d}".format(*day)
    return dumps(gold | {"date": date, "total": None if cents is None else cents / 100})


def make(g, inline, long):
    text, gold = document(g, long)
    request = g.vary(g.shape(REQUESTS)) if g.p(0.6) else ""
    calls = Calls(g)
    if inline:
        order = [request, text] if g.p(0.7) else [text, request]
        out = opening(NAME, "\n\n".join(x for x in order if x))
    else:
        doc = g.document_id()
        out = opening(NAME, user_message(request, [doc])) + parsed(g, calls, doc, text)
    result = {"valid": True, "errors": []} if g.p(0.97) else {"valid": False, "errors": [g.any(ERRORS)]}
    out += calls.call("schema_validator", '{"data": ' + record(gold) + "}", result)
    return {
        "segments": out + answer(record(gold)), "text": text, "request": request, "expected": {"json": record(gold)},
    }
