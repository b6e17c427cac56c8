// What a form of one field holds when it is sent: as the field has it, which what was last drawn may lag behind.

/**
 * The text of a form's first field, without spaces around it. The field is `required`, and no button is disabled for
 * want of a text: an Enter right after the last key would meet a button that is drawn as it was before.
 * @param {Event} event
 */
export const typedIn = (event) => /** @type {HTMLFormElement} */ (event.currentTarget).querySelector("input")?.value.trim() ?? "";
