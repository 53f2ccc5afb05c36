/** Reports that the run itself has made up carry this. */
export const FORGED = 'forged'
