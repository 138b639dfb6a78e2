"""data-extraction: an invoice, a receipt, an order or an e-mail -> vendor, document_number, date, currency, total."""
from pools import ADJ, ITEMS, MONTHS, STREETS
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
    "{K} no.", "{K} number", "{K} #", "{K} No", "Reference number", "No.", "Number", "{K} ID", "Document number", "{K} ref.",
    "Document no.", "{K}-Nr.", "ID", "Doc. no.", "{K} code", "{K} Number", "Doc #", "Nr.", "{K} reference", "Number of {K}",
    "Document ID", "{K} nr", "No", "Our number", "{K}", "DOCUMENT NO.", "{K} NO.", "Doc number", "Voucher no.", "Serial no.",
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
    "invoice": ["INVOICE", "Invoice", "Tax invoice", "INVOICE / BILL", "Rechnung / Invoice", "Commercial invoice", "BILL"],
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
    "Have a look at our new {item2}.", "We wish you a good week.", "A copy went to {buyer}.", "Our bank details are unchanged.",
    "The order reference was {ref}.", "We hope you like the {item}.",
]
EMAIL_END = [
    "Kind regards\n{me}\n{vendor}", "Best,\n{me}, {vendor}", "Regards\n{vendor}", "Many thanks\n{me}\n{vendor}",
    "Best wishes\n{me}", "{vendor}\nAccounting", "Sincerely,\n{me}\n\n{vendor}", "Yours,\n{vendor} billing team",
    "Thanks!\n{me}\n{vendor}", "Cheers,\n{me} from {vendor}", "Best regards,\n{vendor}", "With kind regards\n{me}\n{vendor}",
    "{me}\n{vendor}", "Regards,\n{me}, {vendor}", "Thank you\n{vendor}\n{place}",
]
REQUESTS = [
    "Extract the fields.", "Please extract the data from this document.", "Extract vendor, number, date, currency and total.",
    "Process this <document|file|invoice|receipt>.", "Return the record.", "What are the key fields here?",
    "<Please read|Read> this <document|invoice|receipt> and <return|give me> the record.", "Get the invoice data.",
    "New <document|invoice|receipt> for accounting.", "<Extract|Pull out|Get> the <fields|data|record> <as JSON|please|for booking>.",
    "Data extraction, please.", "Who is the vendor and how much do we pay?", "Please book this one.",
    "<Turn|Convert> this document into a record.", "Read the attached document.", "Extract the invoice.",
    "<I need|We need> the data <of this document|from this paper>.", "Capture this <invoice|receipt|order>.",
    "<Please process|Handle> the attachment.", "Fill in the record <for this document|please>.",
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


def items_of(g):
    out = []
    for _ in range(g.r.choice((1, 1, 2, 2, 3, 3, 4, 5, 6))):
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


def document(g, long=False):
    """-> text and gold record (date as a tuple, total in cents)."""
    gold = {"vendor": g.company(), "document_number": g.document_number(), "date": g.date(), "currency": None, "total": None}
    kind = g.any(["invoice", "invoice", "receipt", "purchase order", "email", "email"])
    text = email(g, gold) if kind == "email" else form(g, gold, kind)
    for _ in range(g.int(2, 9) if long else 0):
        lines = [g.say(TERMS, days=g.any([7, 10, 14, 30]), place=g.place()) for _ in range(g.int(2, 5))]
        text += "\n\n" + " ".join(lines)
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
