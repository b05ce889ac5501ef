// Making and changing elements. Text only ever goes in as text, so no name can become markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** An element with attributes (null and false leave one out) and children: elements or texts. */
export function make(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for a drawing. */
export function draw(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Change an attribute; null and false take it away. */
export function set(element, name, value) {
  if (value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value);
}

/** Change a text, if it is another one: a selection or a screen reader is not disturbed for nothing. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Replace what is inside, if the key that stands for it is another one. */
export function refill(element, key, children) {
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  element.replaceChildren(...children());
}

/**
 * One view for each item, in the items' order; `views` is a Map that lives as long as the list.
 * A view has `element` and `update(item)`.
 */
export function keep(list, views, items, idOf, newView) {
  const ids = new Set(items.map(idOf));
  for (const [id, view] of views) {
    if (ids.has(id)) continue;
    view.element.remove();
    views.delete(id);
  }
  let before = null;
  for (const item of items) {
    const id = idOf(item);
    if (!views.has(id)) views.set(id, newView(item));
    const view = views.get(id);
    const place = before ? before.nextElementSibling : list.firstElementChild;
    if (place !== view.element) list.insertBefore(view.element, place);
    view.update(item);
    before = view.element;
  }
}
