const [path, done] = arguments;
// Read as text: the pages' own policy lets nobody parse markup.
const links = (text, kind) => !kind.startsWith("text/html") ? [] :
  [...text.matchAll(/<a\s[^>]*?href="([^"]*)"/g)]
    .map(found => new URL(found[1].replace(/&(amp|#38);/g, "&"), location.origin + path))
    .filter(to => to.origin === location.origin)
    .map(to => to.pathname + to.search);
fetch(path).then(async answer => {
  const text = await answer.text();
  const kind = answer.headers.get("content-type") || "";
  done({ status: answer.status, at: new URL(answer.url).pathname, links: links(text, kind) });
}).catch(error => done({ status: 0, at: String(error), links: [] }));
