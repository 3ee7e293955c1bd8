import { copyButtons } from "../page/copy";
import { drawer } from "./shell";

/** Entry of pages that need no more than the frame: the account page and the members. */
copyButtons();
drawer();
