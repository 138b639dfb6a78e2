"""Word lists shared by the jobs. Every fifth entry never occurs in training (see `Gen.value`)."""

ONSET = """
b br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr qu r s sch sh sk sl st str t th tr v w z
""".split()
VOWEL = "a a a e e e i i o o u ai au ea ee ei ia io oa oo ou y".split()
CODA = "b ck d f g k l ll m n n n nd ng nt p r r rd rk rn rt s s ss st t t th x z".split()
WORDS = """
Northern Blue Harbor Summit Cedar Falcon Granite River Stone Bright Silver Golden Maple Orion Delta Alpine Atlas
Beacon Copper Crystal Eagle Ember Forest Garden Global Horizon Iron Ivory Juniper Keystone Lakeside Liberty Lunar
Magnolia Meridian Metro Midland Monarch Nimbus Nova Oak Ocean Olive Onyx Pacific Panther Phoenix Pine Pioneer Polar
Prairie Prime Quartz Raven Redwood Ridge Royal Sable Scarlet Sierra Solar Sparrow Sterling Sunrise Swift Tiger Titan
Trident Tulip Union Unity Valley Vector Velvet Vertex Victory Violet Walnut West Willow Winter Zenith Amber Apex
Arrow Aspen Aurora Birch Canyon Castle Cobalt Comet Coral Crown Dawn Desert Diamond Dolphin Dragon Echo Elm Everest
Fern Flint Frost Galaxy Glacier Grove Hawk Hazel Heron Indigo Island Jade Lark Laurel Linden Lion Lotus Marble
Meadow Mercury Mosaic Neptune Opal Orchid Osprey Otter Pearl Peak Pebble Plaza Poppy Rapid Reef Robin Ruby Saffron
Sage Sapphire Shadow Spruce Star Storm Summer Terra Thunder Topaz Tower Vista Wave Wolf Yellow Zephyr Anchor Bamboo
Basil Bison Bridge Cactus Candle Cascade Cherry Circle Clover Compass Condor Cosmos Crane Cypress Daisy Ever Fjord
Garnet Ginger Harvest Heather Helix Ivy Jasper Kestrel Lantern Lily Magnet Mango Mint Moss Nectar
""".split()
FIRST = """
Anna Ben Carla David Elena Felix Grace Hugo Ines Jonas Karen Liam Maria Nils Olga Paul Quinn Rosa Sven Tara Ulrich
Vera Walter Xenia Yusuf Zoe Amir Bianca Chen Dario Emma Farid Greta Hana Igor Julia Kofi Lena Marco Nadia Omar Priya
Ravi Sofia Tom Uma Victor Wendy Yara Zara Adam Bella Colin Diana Eric Fiona George Helen Ivan Jane Kevin Laura Mike
Nina Oscar Petra Ruth Simon Tina Vince Alice Bruno Clara Dmitri Edith Frank Gina Henry Iris Jack Kira Louis Mona
Noah Olive Peter Rita Sam Tess Vlad Willa
""".split()
LAST = """
Smith Müller Garcia Chen Novak Rossi Dubois Silva Khan Nguyen Larsen Kowalski Ivanov Tanaka Patel Schmidt Brown
Weber Lopez Martin Haddad Olsen Murphy Fischer Costa Sato Meyer Wagner Clark Lewis Young Walker Hall Allen King
Wright Hill Green Adams Baker Nelson Carter Mitchell Perez Roberts Turner Phillips Campbell Parker Evans Edwards
Collins Stewart Morris Rogers Reed Cook Morgan Bell Bailey Cooper Richardson Cox Howard Ward Peterson Gray James
Watson Brooks Kelly Sanders Price Bennett Wood Barnes Ross Henderson Jenkins Perry Powell Long Hughes Flores
""".split()
TRADE = """
Trading Logistics Systems Foods Media Energy Software Labs Supplies Consulting Services Tools Design Partners
Technologies Catering Electronics Motors Textiles Print Packaging Office Cloud Studio Works Pharma Building
Transport Hardware Books
""".split()
SUFFIX = (
    "GmbH|Ltd|Ltd.|Inc.|Inc|LLC|AG|S.A.|B.V.|Co.|KG|& Sons|& Co. KG|Corp.|PLC|Group|AB|S.r.l.|Oy|SAS"
).split("|")
PLACES = """
Berlin Paris London Madrid Rome Vienna Oslo Lisbon Prague Warsaw Dublin Zurich Milan Hamburg Munich Lyon Porto
Athens Helsinki Boston Chicago Denver Austin Seattle Toronto Dallas Phoenix Atlanta Leipzig Ghent Bremen Turin Malmo
Bergen Krakow Seville Basel Graz Leeds Bristol Cardiff Nantes Lille Cologne Dresden Mainz Bonn Utrecht Delft Tampa
Portland Miami Houston Detroit Omaha Tokyo Osaka Mumbai
""".split()
STREETS = (
    "Main Street|Station Road|High Street|Park Avenue|Mill Lane|Church Street|Harbour Road|Market Square|Lindenstr.|"
    "Bahnhofstr.|King Street|Oak Drive|River Road|Garden Way|North Street"
).split("|")
ITEMS = (
    "paper|toner|laptop|desk lamp|chair|cable|monitor|keyboard|printer ink|coffee beans|notebook|pen set|router|"
    "hard drive|license|support hours|consulting|cleaning service|water bottles|sandwich platter|bolts|steel pipe|"
    "paint|gloves|safety helmet|drill|hosting|domain name|training day|translation|photo shoot|flyers|business cards|"
    "banner|pallet|freight|battery|charger|USB hub|headset|webcam|whiteboard|markers|envelopes|stamps|milk|bread|"
    "apples|cheese|tea|soap|towels|filters|pump|valve|gasket|screws|timber|cement|tiles|glass panel|insulation|fuse|"
    "switch|sensor|antenna|lamp shade|bookshelf|carpet|curtain|mattress|pillow|jacket|boots|T-shirt|shirt|rope|tent|"
    "bike|tyre|brake pads|oil change|car wash|fuel|parking|taxi ride|hotel night|train ticket|flight|dinner|"
    "lunch menu|catering|flowers|gift box|software update|backup plan|security audit|design draft|logo|video edit|"
    "data package|SIM card|phone|tablet"
).split("|")
ADJ = """
small large blue black white spare premium standard heavy light new second annual quarterly digital regional
internal external temporary central mobile public monthly joint extra early shared basic green local
""".split()
PRODUCTS = (
    "Dashboard|Mobile App|Reports|Sync Client|Web Portal|Desktop App|API|Analytics|Backup|Mail Gateway|Calendar|Chat|"
    "CRM|Editor|File Share|Scanner|Inventory|Payroll|Monitor|Connector"
).split("|")
TEAMS = """
sales marketing platform design support finance data mobile security operations logistics legal research quality
payments growth infrastructure content procurement training hardware analytics web facilities partner
""".split()
SERVICES = (
    "login service|payment gateway|search index|mail server|web shop|order API|file storage|booking system|"
    "message queue|customer portal|report server|image service|phone system|time tracking|VPN|wiki|data warehouse|"
    "chat server|print service|backup system|checkout|ticket system|build farm|DNS|inventory service"
).split("|")
ADJ_BAD = """
expired faulty missing wrong broken full slow corrupt outdated overloaded stale unstable misconfigured delayed
incomplete leaking blocked duplicate damaged weak
""".split()
CAUSE_NOUN = (
    "certificate|disk|network switch|config file|memory module|DNS entry|database index|load balancer|power supply|"
    "firewall rule|deployment script|cache node|cooling unit|lock file|cable|firmware version|cron job|access token|"
    "backup job|route table"
).split("|")
THING = """
service table module cluster form pipeline page library database gateway process dashboard script template plan
""".split()
FIX_VERB = (
    "restarted|replaced|rolled back|patched|rebuilt|repaired|reset|reinstalled|updated|moved|isolated|resized|"
    "reconfigured|cleaned up|restored"
).split("|")
TODO_VERB = (
    "review|rewrite|test|document|migrate|check|update|prepare|clean up|measure|redesign|finish|present|replace|"
    "translate"
).split("|")
DECIDE_VERB = """
launch postpone cancel extend approve start fund outsource pause rename merge expand close simplify move
""".split()
PROJECT = (
    "newsletter|pilot|office|campaign|warehouse|training program|web shop|supplier contract|bonus plan|price list|"
    "mobile app|survey|support desk|partner program|customer portal|data center|product line|workshop|loyalty program|"
    "hiring plan"
).split("|")
RISK = (
    "supplier data|test devices|staffing|documentation|approvals|vendor contract|test results|interfaces|requirements|"
    "hardware"
).split("|")
POLICY = (
    "remote work|travel expenses|parking|password rules|company phones|vacation planning|badge access|data retention|"
    "overtime|visitor registration|meeting rooms|home office equipment|lunch allowance|code of conduct|bike leasing"
).split("|")
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
METRICS = """
orders tickets sales visits errors calls signups returns deliveries downloads tasks refunds bookings complaints
leads shipments incidents builds requests reviews hours invoices messages repairs meetings
""".split()
MONTHS = "January February March April May June July August September October November December".split()
