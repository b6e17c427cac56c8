"""Addresses that every general check runs over: axe, the width of a phone, errors in the console.

A view adds its own: a name, and what stands behind `#`.
"""

PAGES = {
    "collections": "/",
    "search": "/demo/search?q=arrived+late",
    "steered": "/demo/search?q=the+best+thing+I+ever+bought&steer=9:0.2",
    "filter": '/demo/search?q=arrived+late&filter=source = "films" and sentiment <',
    "fusion": "/demo/search?q=camera&q2=refund&kind2=words&w2=0.5",
    "nothing": '/demo/search?kind=matching&filter=source = "nowhere"',
    "odd": '/demo/search?kind=matching&filter=source = "odd"',
    "latents": "/demo/latents",
    "latents-found": "/demo/latents?q=battery",
    "list": "/demo/latents?list=9,73,816&name=power",
    "list-wrong": "/demo/latents?list=9,nine&name=power",
    "list-empty": "/demo/latents?name=power",
    "latent": "/demo/latent/9",
    "compare-begin": "/demo/compare",
    "compare": '/demo/compare?a=source = "films"&b=source = "products"&delta=0.12&latent=9',
    "compare-only": '/demo/compare?a=source = "films"&b=source = "products"&delta=0.12&tab=only',
    "compare-overlap": "/demo/compare?a=sentiment > 1&b=sentiment > 2",
    "compare-bad": '/demo/compare?a=sorce = "films"&b=nonsense(',
    "pairs": "/demo/relations?support=100&npmi=0.4",
    "families": "/demo/relations/families",
    "trends": "/demo/relations/trends?by=sentiment&change=12",
    "info": "/demo/info",
    "map": "/demo/map",
    "guide": "/guide/search",
    "no-collection": "/nowhere/search?q=x",
    "no-latent": "/demo/latent/999999",
    "no-view": "/demo/nonsense",
}
