// What Teehaus Nord sells. Prices are integer cents with VAT, as everywhere in the shop.

export const TEAS = [
  {
    sku: "ostfriesen",
    name: "Ostfriesen-Mischung",
    kind: "Schwarztee",
    grams: 250,
    price: 1290,
    taste: "Kräftig, malzig, mit Kluntje und Sahne.",
    text: "Assam aus der zweiten Ernte, dazu ein wenig Ceylon für die Farbe. So wird bei uns an der Küste seit Generationen Tee getrunken: drei Tassen sind Ostfriesenrecht.",
    brewing: "5 Teelöffel auf einen Liter, 100 °C, 4 Minuten",
  },
  {
    sku: "darjeeling",
    name: "Darjeeling First Flush",
    kind: "Schwarztee",
    grams: 100,
    price: 1650,
    taste: "Hell, blumig, mit einer Spur Muskat.",
    text: "Die ersten Blätter nach dem Winter, im März von Hand gepflückt. Ein Tee für den späten Vormittag, der nichts weiter braucht als eine gute Tasse und zehn ruhige Minuten.",
    brewing: "4 Teelöffel auf einen Liter, 90 °C, 3 Minuten",
  },
  {
    sku: "earl-grey",
    name: "Earl Grey Leuchtturm",
    kind: "Schwarztee",
    grams: 100,
    price: 990,
    taste: "Klar, mit echtem Bergamotteöl aus Kalabrien.",
    text: "Ceylon aus dem Hochland und kaltgepresste Bergamotte, sonst nichts. Hält auch dann wach, wenn die Nacht lang und der Nebel dicht ist.",
    brewing: "4 Teelöffel auf einen Liter, 95 °C, 3 Minuten",
  },
  {
    sku: "sencha",
    name: "Sencha Morgennebel",
    kind: "Grüntee",
    grams: 100,
    price: 1490,
    taste: "Frisch und weich, wie nasses Gras am Deich.",
    text: "Gedämpfter Grüntee aus Kagoshima, von einer Familie, die wir seit zwölf Jahren kennen. Er verzeiht zu heißes Wasser nicht und belohnt jede Sorgfalt.",
    brewing: "4 Teelöffel auf einen Liter, 70 °C, 2 Minuten",
  },
  {
    sku: "deichminze",
    name: "Deichminze",
    kind: "Kräutertee",
    grams: 80,
    price: 690,
    taste: "Minze, Melisse und ein wenig Sanddorn.",
    text: "Von einem Hof hinter dem Deich, schonend getrocknet. Ohne Koffein, also auch für den Abend und für alle, die am Tisch mittrinken wollen.",
    brewing: "6 Teelöffel auf einen Liter, 100 °C, 7 Minuten",
  },
  {
    sku: "kluntje",
    name: "Weißer Kluntje",
    kind: "Kandis",
    grams: 500,
    price: 590,
    taste: "Große Kristalle, die in der Tasse knistern.",
    text: "Langsam gewachsener weißer Kandis. Zuerst der Kluntje, dann der Tee, dann die Sahne gegen den Uhrzeigersinn – und nicht umrühren.",
    brewing: "Ein Kluntje je Tasse, auf Wunsch zwei",
  },
];

export const findTea = (sku) => TEAS.find((tea) => tea.sku === sku);

export const SHIPPING = { price: 390, freeFrom: 4900 };
